"""Work for several threads or processes; no thread outlives a call, so that a process can still fork."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

DEFAULT_THREADS = min(4, os.cpu_count() or 1)


def num_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_context(*preloaded: str) -> multiprocessing.context.BaseContext:
    """Return how workers are started: not forked from this process, whose libraries have threads.

    Args:
        preloaded: Modules that are imported once, for all workers.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preloaded))
    return context


def exit_with_parent() -> None:
    """End this worker when the process that started it has ended, however that happened."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    sentinel = parent.sentinel

    def watch() -> None:
        multiprocessing.connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def map_in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], num_threads: int
) -> list[Result]:
    """Apply a function to every item, in this thread and up to `num_threads` − 1 others.

    Returns:
        The results in the order of the items.

    Raises:
        Exception: The first one that the function raised; items not yet begun are then left out.
    """
    if num_threads == 1 or len(items) == 1:
        return [function(item) for item in items]
    results: dict[int, Result] = {}
    errors: list[BaseException] = []
    pending = iter(range(len(items)))  # its next is atomic

    def work() -> None:
        for number in pending:
            if errors:
                return
            try:
                results[number] = function(items[number])
            except BaseException as error:
                errors.append(error)

    helpers = [threading.Thread(target=work) for _ in range(min(num_threads, len(items)) - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(items))]


class Slots:
    """Counts how many threads work at once.

    Args:
        count: Threads that may.
    """

    def __init__(self, count: int):
        self._free = count
        self._changed = threading.Condition()
        self._count = count

    @contextlib.contextmanager
    def take(self) -> Iterator[None]:
        """Take one slot for a block, waiting if need be."""
        with self._changed:
            self._changed.wait_for(lambda: self._free > 0)
            self._free -= 1
        try:
            yield
        finally:
            self._give_back(1)

    @contextlib.contextmanager
    def take_all(self) -> Iterator[bool]:
        """Take all slots for a block if nobody has one; tell whether that succeeded."""
        with self._changed:
            taken = self._count if self._free == self._count else 0
            self._free -= taken
        try:
            yield taken > 0
        finally:
            self._give_back(taken)

    def _give_back(self, count: int) -> None:
        with self._changed:
            self._free += count
            self._changed.notify(count)


class Pool(Generic[Item]):
    """Objects that one thread at a time may use, made when they are first needed.

    Args:
        make: Makes one more.
        slots: Limits how many are in use at once; several pools may share it.
    """

    def __init__(self, make: Callable[[], Item], slots: Slots):
        self._make = make
        self._slots = slots
        self._free: list[Item] = []  # its append and pop are atomic

    @contextlib.contextmanager
    def borrow(self) -> Iterator[Item]:
        """Lend one for a block, waiting for a slot if need be."""
        with self._slots.take():
            try:
                item = self._free.pop()
            except IndexError:
                item = self._make()
            try:
                yield item
            finally:
                self._free.append(item)
