"""Work for several threads or processes; no thread outlives a call, so that a process can still fork."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def num_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """Return how many threads predict: one per core that this process may use, at most four."""
    return min(4, num_cores())


class WorkerProcess(SpawnProcess):
    """A process that does not import the main module of the one that started it.

    Python's own processes import it, which runs a script without `if __name__ == "__main__":` again.
    """

    @staticmethod
    def _Popen(process: Any) -> Any:  # noqa: N802 (Python's name)
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")  # has no file that could be imported
        try:
            return SpawnProcess._Popen(process)  # type: ignore[attr-defined]
        except OSError as error:  # or one that died meanwhile: Python closes what this one would be given
            raise BrokenProcessPool(f"a worker could not be started: {error}") from error
        finally:
            sys.modules["__main__"] = main


class WorkerContext(SpawnContext):
    """Starts workers afresh: they are not forked from this process, whose libraries have threads.

    They end when the process that started them has ended, or at once by `terminate`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._started: list[WorkerProcess] = []
        _start_tracker()

    def Process(self, *args: Any, **kwargs: Any) -> WorkerProcess:  # type: ignore[override]  # noqa: N802
        """Make a worker."""
        process = WorkerProcess(*args, **kwargs)
        self._started.append(process)
        return process

    def terminate(self) -> None:
        """End the workers, whatever they do."""
        for process in self._started:
            if process.pid is not None:
                process.terminate()


def _start_tracker() -> None:
    """Start Python's process that tracks semaphores; unlike SIGINT and SIGTERM, it heeds SIGHUP."""
    if not hasattr(signal, "pthread_sigmask"):  # on Windows there is none
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


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


@contextlib.contextmanager
def worker_processes(
    count: int, start: Callable[..., None] = exit_with_parent, arguments: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """Start worker processes for a block; an error in it ends them at once, whatever they do.

    One that dies is an error, `concurrent.futures.BrokenExecutor`, where its result is waited for.

    Args:
        count: Number of processes.
        start: Called with the arguments in each process before its first task.
        arguments: Picklable.
    """
    context = WorkerContext()
    with ProcessPoolExecutor(count, mp_context=context, initializer=start, initargs=arguments) as pool:
        try:
            yield pool
        except BaseException:
            context.terminate()
            raise


def map_in_threads(
    function: Callable[[Item], Result], items: Sequence[Item], num_threads: int
) -> list[Result]:
    """Apply a function to every item, in up to `num_threads` threads.

    Returns:
        The results in the order of the items.

    Raises:
        Exception: The first one that the function raised; items not yet begun are then left out.
    """
    if num_threads == 1 or len(items) == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(num_threads, len(items))) as threads:
        return list(threads.map(function, items))


class Pool(Generic[Item]):
    """Objects that one thread at a time may use, made when they are first needed.

    Threads that end, as those of a server do, leave theirs to the next; `threading.local` would not.

    Args:
        make: Makes one more.
        limit: Limits how many are in use at once; several pools may share it. None: no limit.
    """

    def __init__(self, make: Callable[[], Item], limit: threading.Semaphore | None = None):
        self._make = make
        self._limit = limit or contextlib.nullcontext()
        self._free: list[Item] = []  # its append and pop are atomic

    @contextlib.contextmanager
    def borrow(self) -> Iterator[Item]:
        """Lend one for a block, waiting if need be."""
        with self._limit:
            try:
                item = self._free.pop()
            except IndexError:
                item = self._make()
            try:
                yield item
            finally:
                self._free.append(item)
