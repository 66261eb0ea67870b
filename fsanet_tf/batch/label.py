"""Head poses of a whole collection as a table: resumable, on every core or on a Ray cluster."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tqdm import tqdm

from fsanet_tf.batch.config import LabelConfig, LabelerConfig
from fsanet_tf.batch.items import find_items
from fsanet_tf.batch.labeler import Labeler
from fsanet_tf.batch.output import Output
from fsanet_tf.batch.process_pool import run_in_processes
from fsanet_tf.batch.ray_engine import ray_cluster, run_in_ray
from fsanet_tf.batch.table import Counts
from fsanet_tf.batch.tasks import Task, make_tasks
from fsanet_tf.detection.detectors import resolve_detector

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LabelReport", "label"]


@dataclasses.dataclass(frozen=True)
class LabelReport:
    """The result of a labeling job, earlier runs of it included.

    Attributes:
        output: The folder of the table.
        counts: Photos, faces, failures, and seconds per stage, of all workers together.
        seconds: Time of this run.
        workers: Photos and videos by worker: node or machine, and number of the process.

    Example:
        >>> how = fsanet_tf.LabelerConfig(detector="haar")
        >>> report = fsanet_tf.label(fsanet_tf.LabelConfig("photo.jpg", "poses.parquet", how))
        >>> len(report.table()), report.counts.failures
        (1, 0)
    """

    output: str
    counts: Counts
    seconds: float
    workers: dict[str, int]

    def table(self) -> pa.Table:
        """Read the table, in the order of the source; docs/batch.md lists its columns."""
        return Output(self.output).read()

    def __str__(self) -> str:
        total = sum(self.counts.seconds.values())
        stages = ", ".join(
            f"{name} {100 * part / max(total, 1e-9):.0f} %" for name, part in self.counts.seconds.items()
        )
        return (
            f"{self.output}: {self.counts.photos} photos and videos, {self.counts.faces} faces, "
            f"{self.counts.failures} failures; {self.seconds:.1f} s; {stages}"
        )


def label(config: LabelConfig, progress: bool = False) -> LabelReport:
    """Label a collection; the same call resumes a job that was interrupted at any moment.

    Args:
        config: What to label, how, and with what.
        progress: Whether to show a progress bar.

    Returns:
        What was labeled; its `table` method reads the table.

    Raises:
        InputError: If the source, the network or the detector cannot be used, the output contains another
            job, or there is no such cluster.
        MissingExtraError: If pyarrow or Ray is not installed.

    Example:
        >>> how = fsanet_tf.LabelerConfig(detector="haar")
        >>> report = fsanet_tf.label(fsanet_tf.LabelConfig(["photo.jpg"], "labels.parquet", how))
        >>> report.counts.faces
        1
    """
    start = time.monotonic()
    items = find_items(config.source)
    detector = resolve_detector(config.labeler.detector)
    labeler = dataclasses.replace(config.labeler, detector=detector)
    Labeler(labeler)  # a network or detector that cannot be used is reported now
    output = Output(config.output)
    output.claim(items, labeler)
    tasks = make_tasks(items)
    finished = output.finished()
    pending = [task for task in tasks if task.number not in finished]
    done = sum(len(task.items) for task in tasks) - sum(len(task.items) for task in pending)
    with tqdm(total=len(items), initial=done, unit="photo", disable=not progress) as bar:
        for number in _run(pending, config, labeler, output) if pending else ():
            bar.update(len(tasks[number].items))
    output.tidy()
    counts, workers = Counts(), collections.Counter[str]()
    for task in tasks:
        part, worker = output.summary(task.number)
        counts.add(part)
        workers[worker] += part.photos
    return LabelReport(config.output, counts, time.monotonic() - start, dict(workers))


def _run(tasks: Sequence[Task], config: LabelConfig, labeler: LabelerConfig, output: Output) -> Iterator[int]:
    """Run tasks on the chosen engine; yield their numbers as they finish."""
    if config.engine == "pool" and not config.address:
        yield from run_in_processes(tasks, labeler, output, config.workers)
        return
    with ray_cluster(config.address, config.workers, config.verbose) as workers:
        yield from run_in_ray(tasks, labeler, output, workers)
