"""Tasks of a labeling job: a few images each, labeled by one worker and written as one file."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from typing import Any

import cv2

from fsanet_tf.batch.config import LabelerConfig
from fsanet_tf.batch.items import Item
from fsanet_tf.batch.labeler import Labeler
from fsanet_tf.batch.output import Output
from fsanet_tf.batch.table import Counts
from fsanet_tf.parallel import exit_with_parent, worker_context

TASKS = 128  # of a small job: enough that workers end together and a kill loses little
MAX_ITEMS = 1000  # of one task: a job of a million images has a thousand files
MAX_DIRECT_TRIES = 2


@dataclasses.dataclass(frozen=True)
class Task:
    """Images that one worker labels.

    Attributes:
        number: From 0, in the order of the source.
        items: The images.
    """

    number: int
    items: tuple[Item, ...]


def make_tasks(items: Sequence[Item]) -> list[Task]:
    """Split a job; the same items make the same tasks. A video is a task of its own."""
    size = min(max(1, -(-len(items) // TASKS)), MAX_ITEMS)
    groups: list[list[Item]] = []
    for alone, run in itertools.groupby(items, lambda item: item.may_be_video):
        images, length = list(run), 1 if alone else size
        groups += [images[start : start + length] for start in range(0, len(images), length)]
    return [Task(number, tuple(group)) for number, group in enumerate(groups)]


@functools.lru_cache(maxsize=1)
def worker_labeler(config: LabelerConfig) -> Labeler:
    """Return the labeler of this process, a worker with one thread."""
    cv2.setNumThreads(1)
    return Labeler(config)


def run_task(task: Task, config: LabelerConfig, output: Output) -> int:
    """Label a task's images and write its file; return its number.

    A task that was begun twice and never finished contains an image that crashes the process that reads it:
    its images are then labeled by a process that may die, and the one that kills it becomes a failure.
    """
    alone = output.begin(task.number) >= MAX_DIRECT_TRIES
    labeler = worker_labeler(config)
    labeler.counts = Counts()
    rows: list[dict[str, Any]] = []
    for item_rows in _label_apart(task.items, labeler) if alone else map(labeler.label, task.items):
        rows += item_rows
    output.write(task.number, rows, labeler.counts, _worker_name())
    return task.number


def _worker_name() -> str:
    """Name this process: the node of a Ray cluster, or the machine, and the number of the process."""
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        return f"{ray.get_runtime_context().get_node_id()[:8]}:{os.getpid()}"
    return f"{platform.node()}:{os.getpid()}"


def _label_apart(items: Sequence[Item], labeler: Labeler) -> Iterator[list[dict[str, Any]]]:
    """Label each image in another process, and start a new one when it dies."""
    pool = _pool(1)
    for item in items:
        try:
            rows, counts = pool.submit(_label_one, item, labeler.config).result()
            labeler.counts.add(counts)
            yield rows
        except BrokenExecutor:
            pool.shutdown(wait=False, cancel_futures=True)
            pool = _pool(1)
            yield labeler.fail(item, "crashes the library that reads it, or memory ran out")
    pool.shutdown()


def _label_one(item: Item, config: LabelerConfig) -> tuple[list[dict[str, Any]], Counts]:
    labeler = worker_labeler(config)
    labeler.counts = Counts()
    return labeler.label(item), labeler.counts


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=worker_context(), initializer=exit_with_parent)
