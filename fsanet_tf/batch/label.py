"""Head poses of a whole collection as a table: resumable, on every core or on a Ray cluster."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tqdm import tqdm

from fsanet_tf.batch.config import LabelConfig
from fsanet_tf.batch.folder import open_folder
from fsanet_tf.batch.items import Items
from fsanet_tf.batch.labeler import Labeler
from fsanet_tf.batch.parts import Job, Part, run_parts
from fsanet_tf.batch.ray_engine import ray_cluster, run_in_ray
from fsanet_tf.batch.table import Table, encode
from fsanet_tf.detection.detectors import resolve_detector
from fsanet_tf.errors import OptionError
from fsanet_tf.io.folders import describe_skipped
from fsanet_tf.options import checked

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LabelReport", "label"]


@dataclasses.dataclass(frozen=True)
class LabelReport:
    """The result of a labeling job, earlier runs of it included.

    Attributes:
        output: The folder of the table.
        photos: Photos and videos in the table.
        faces: Faces in them.
        failures: Photos and videos that could not be labeled.
        removed: Photos and videos in the table that the source no longer contains.
        skipped: Why other files and folders of the source are not in the table, by name.
        seconds: Time of this run.

    Example:
        >>> config = fsanet_tf.LabelConfig("photo.jpg", "poses.parquet", detector="haar")
        >>> report = fsanet_tf.label(config)
        >>> len(report.table()), report.failures
        (1, 0)
    """

    output: str
    photos: int
    faces: int
    failures: int
    removed: int
    skipped: dict[str, str]
    seconds: float

    def table(self) -> pa.Table:
        """Read the table, in the order of the source; docs/batch.md lists its columns."""
        return read_labels(self.output)

    def __str__(self) -> str:
        text = f"{self.output}: {self.photos} photos and videos, {self.faces} faces, {self.failures} failures"
        if self.removed:
            text += f", {self.removed} no longer in the source"
        return f"{text}{describe_skipped(self.skipped)}; {self.seconds:.1f} s"


def read_labels(output: str) -> pa.Table:
    """Read the table of a labeling job."""
    return Table(make_job(LabelConfig(output=output))).read()


def label(config: LabelConfig, progress: bool = False) -> LabelReport:
    """Label a collection; the same call resumes a job that was interrupted at any moment.

    Photos that were added to the source or changed since an earlier run are labeled; other rows stay.

    Args:
        config: What to label, with what, and how.
        progress: Whether to show a progress bar.

    Returns:
        What was labeled; its `table` method reads the table.

    Raises:
        InputError: If the source, the network or the detector cannot be used, the output contains another
            job, another run is writing there, or the cluster is unreachable.
        MissingExtraError: If pyarrow or Ray is not installed.

    Example:
        >>> config = fsanet_tf.LabelConfig("photo.jpg", "labels.parquet", detector="haar")
        >>> fsanet_tf.label(config).faces
        1
    """
    start = time.monotonic()
    checked("config", LabelConfig, config)
    for name in ("source", "output"):
        if not getattr(config, name):
            raise OptionError(name, "is required")
    sources = Items(config.source)
    config = dataclasses.replace(config, detector=resolve_detector(config.detector))
    Labeler(config)  # a network or detector that cannot be used is reported now
    job = make_job(config)
    table = Table(job)
    with job.folder.lock():
        parts, removed = table.plan(sources.items, config)
        sizes = {part.number: len(part.items) for part in parts}
        total = len(sources.items)
        with tqdm(
            total=total, initial=total - sum(sizes.values()), unit="photo", disable=not progress
        ) as bar:
            for number in _run(job, parts, config) if parts else ():
                bar.update(sizes[number])
        job.tidy()
        found = table.summary()
    seconds = time.monotonic() - start
    return LabelReport(config.output, removed=removed, skipped=sources.skipped, seconds=seconds, **found)


def make_job(config: LabelConfig) -> Job:
    """Return what labels, and where it writes."""
    return Job(open_folder(config.output), functools.partial(Labeler, config), encode, ".parquet")


def _run(job: Job, parts: Sequence[Part], config: LabelConfig) -> Iterator[int]:
    """Run parts on the chosen engine; yield their numbers as they finish."""
    if config.engine == "pool" and not config.address:
        yield from run_parts(job, parts, config.workers)
        return
    with ray_cluster(config.address, config.workers, config.verbose) as workers:
        yield from run_in_ray(job, parts, workers)
