"""Work in parts: planned parts, workers, a row per failure, resume, each part exactly once.

Preprocessing and labeling share it. A part is a few items; a worker turns each item into rows and writes the
part as one file, named after the part's number. So a finished file is complete, a part that runs twice, after
a kill or on two machines, leaves one file, and a later run does what has none. Readers of Parquet ignore
names that begin with an underscore: `_job.json` describes a job, `_tries-…` counts how often an unfinished
part was begun, `_lock` is held by the run that works.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol

import cv2

from fsanet_tf.batch.folder import Folder
from fsanet_tf.errors import InputError, reason_of
from fsanet_tf.io.files import SCRATCH
from fsanet_tf.parallel import exit_with_parent, num_cores, worker_processes

Row = dict[str, Any]

NUM_PARTS = 128  # of a small job: enough that workers end together and a kill loses little
MAX_ITEMS = 1000  # of one part: a job of a million images has a thousand files
MAX_DIRECT_TRIES = 2
MAX_DEATHS = 5


class Worker(Protocol):
    """Protocol of what works on items; a process makes one and keeps it."""

    def work(self, item: Any) -> list[Row]:
        """Return the rows of an item."""
        ...

    def failure(self, item: Any, reason: str) -> Row:
        """Return the row of an item that could not be worked on."""
        ...


@dataclasses.dataclass(frozen=True)
class Part:
    """Items that one worker turns into one file.

    Attributes:
        number: Names the file.
        items: What to work on.
    """

    number: int
    items: tuple[Any, ...]


def make_parts(
    items: Sequence[Any],
    first: int = 0,
    max_items: int = MAX_ITEMS,
    stands_alone: Callable[[Any], bool] = lambda item: False,
) -> list[Part]:
    """Split a job; the same items make the same parts.

    Args:
        items: What to work on.
        first: Number of the first part.
        max_items: Items of one part at most.
        stands_alone: Whether an item is a part of its own.
    """
    size = min(max(1, -(-len(items) // NUM_PARTS)), max_items)
    groups: list[Sequence[Any]] = []
    for alone, group in itertools.groupby(items, stands_alone):
        run, length = list(group), 1 if alone else size
        groups += [run[start : start + length] for start in range(0, len(run), length)]
    return [Part(number, tuple(group)) for number, group in enumerate(groups, first)]


@dataclasses.dataclass(frozen=True)
class Job:
    """The work on each part and the folder that receives it. Processes and machines get pickles of it.

    Attributes:
        folder: Receives a file per part.
        make_worker: Makes a worker.
        encode: Returns the content of a part's file.
        suffix: Of the files' names.
    """

    folder: Folder
    make_worker: Callable[[], Worker]
    encode: Callable[[list[Row]], Any]
    suffix: str

    def name(self, number: int) -> str:
        """Return the name of a part's file."""
        return f"part-{number:06d}{self.suffix}"

    def finished(self) -> list[int]:
        """Return the numbers of the parts whose files are there, in order."""
        matches = (re.fullmatch(rf"part-(\d+){re.escape(self.suffix)}", name) for name in self.folder.names())
        return sorted(int(match[1]) for match in matches if match)

    def run(self, part: Part, worker: Worker) -> int:
        """Write a part's file; return its number.

        A part that was begun twice and never finished contains an item that crashes the process that reads
        it: its items then go to a process that may die, and the one that kills it becomes a failure.
        """
        tries_name = f"_tries-{part.number:06d}{self.suffix}"
        earlier = self.folder.read(tries_name) or b""
        tries = int(earlier) if earlier.isdigit() else 0
        self.folder.write(tries_name, str(tries + 1).encode())
        apart = tries >= MAX_DIRECT_TRIES
        results = self._work_apart(part, worker) if apart else (rows_of(worker, item) for item in part.items)
        self.folder.write(self.name(part.number), self.encode([row for rows in results for row in rows]))
        self.folder.delete(tries_name)
        return part.number

    def _work_apart(self, part: Part, worker: Worker) -> Iterator[list[Row]]:
        """Work on each item in another process, and start a new one when it dies."""
        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(self.processes(1))
            for item in part.items:
                try:
                    yield pool.submit(_rows_in_worker, item).result()
                except BrokenExecutor:
                    pool = stack.enter_context(self.processes(1))
                    yield [worker.failure(item, "crashes the library that reads it, or memory ran out")]

    def processes(self, count: int) -> contextlib.AbstractContextManager[ProcessPoolExecutor]:
        """Start processes that work on this job, as `worker_processes`."""
        return worker_processes(count, _start_worker, (self,))

    def tidy(self) -> None:
        """Delete what killed workers left of a job that is now finished."""
        for name in self.folder.names():
            if name.startswith(("_tries-", SCRATCH)):
                self.folder.delete(name)


def state_of(path: str | Path) -> tuple[int | None, int | None]:
    """Return a file's size and the time of its last change in microseconds since 1970; None: unknown."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None, None
    return status.st_size, status.st_mtime_ns // 1000


def rows_of(worker: Worker, item: Any) -> list[Row]:
    """Return the rows of an item; whatever fails becomes a row, so that the other items are done."""
    try:
        return worker.work(item)
    except Exception as error:
        return [worker.failure(item, reason_of(error))]


def run_parts(job: Job, parts: Sequence[Part], workers: int = 0) -> Iterator[int]:
    """Run parts on this machine; a worker that dies is replaced, and its part begun again.

    Args:
        job: What to do.
        parts: Those to do.
        workers: Number of processes; 0: one per core. One works in the calling process.

    Yields:
        The numbers of the parts, as they finish.

    Raises:
        InputError: If workers keep dying.
    """
    workers = min(workers or num_cores(), len(parts))
    if workers == 1:
        worker = job.make_worker()
        for part in parts:
            yield job.run(part, worker)
        return
    pending = {part.number: part for part in parts}
    deaths = 0  # in a row, without a finished part between them
    while pending:
        try:
            with job.processes(min(workers, len(pending))) as pool:
                futures = [pool.submit(_run_in_worker, part) for part in pending.values()]
                for future in as_completed(futures):
                    number = future.result()
                    del pending[number]
                    deaths = 0
                    yield number
        except BrokenExecutor as error:  # a worker died
            deaths += 1
            if deaths == MAX_DEATHS:
                raise InputError(
                    f"{job.folder.address}: {deaths} workers died without finishing a part, probably for "
                    "lack of memory; the same call resumes, with fewer workers"
                ) from error
            for number in pending.keys() & set(job.finished()):
                del pending[number]
                yield number


_job: Job | None = None  # of this process, if it is a worker
_worker: Worker | None = None


def _start_worker(job: Job) -> None:
    global _job, _worker
    exit_with_parent()
    cv2.setNumThreads(1)
    _job, _worker = job, None


def _own_worker() -> tuple[Job, Worker]:
    """Return this process's job and worker; made here and not at the start, its errors reach the caller."""
    global _worker
    assert _job is not None
    if _worker is None:
        _worker = _job.make_worker()
    return _job, _worker


def _run_in_worker(part: Part) -> int:
    job, worker = _own_worker()
    return job.run(part, worker)


def _rows_in_worker(item: Any) -> list[Row]:
    return rows_of(_own_worker()[1], item)
