"""Crops of many sources in one `.npz`, made in parts next to it.

A killed run finds its parts again and does the rest; memory contains one part per process, however large the
dataset is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import reprlib
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

import fsanet_tf
from fsanet_tf.batch.folder import LOCK, Folder
from fsanet_tf.batch.parts import Job, Part, Row, Worker, make_parts, run_parts, state_of
from fsanet_tf.data.dataset import make_dataset, save_dataset
from fsanet_tf.data.face_arrays import DEGREES
from fsanet_tf.data.npz_file import FileImages, JoinedImages, read_npz
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.io.files import writable_path
from fsanet_tf.io.folders import describe_skipped

__all__ = ["PreprocessingReport", "preprocess"]

LABELS = ("pose", "name", "weight", "group", "margin_ratio")  # of each crop, named as in a dataset's file
NOT_IN_CROPS = ("output", "workers", "strict", "degrees")  # options that do not change the crops
MAX_NAME = 240  # bytes; file systems allow 255
PART_BYTES = 2**23  # of the crops that a process has in memory


@dataclasses.dataclass(frozen=True)
class Problem:
    """A source that yielded no crop: its name and, in a few words, why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class PreprocessingReport:
    """The result of a preprocessing run.

    Attributes:
        num_sources: Number of sources.
        problems: Those that yielded no crop.
        outputs: The files that were written.
        skipped: Why other files are no sources, by name.

    Example:
        >>> from fsanet_tf.data.preprocessing.crops import PreprocessingReport
        >>> print(PreprocessingReport(10, (), (Path("faces.npz"),)))
        faces.npz: 10 crops of 10 sources, 0 left out
    """

    num_sources: int
    problems: tuple[Problem, ...]
    outputs: tuple[Path, ...]
    skipped: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        written = ", ".join(str(path) for path in self.outputs)
        count = self.num_sources - len(self.problems)
        text = f"{written}: {count} crops of {self.num_sources} sources, {len(self.problems)} left out"
        return text + describe_skipped(self.skipped)


def crop_row(
    name: str, image: np.ndarray, pose: np.ndarray, margin_ratio: float, weight: float = 1.0, group: str = ""
) -> Row:
    """Return the row of a crop: its pixels, rounded to uint8, and its labels."""
    pixels = image if image.dtype == np.uint8 else np.rint(image).astype(np.uint8)
    labels = {"pose": pose, "name": name, "weight": weight, "group": group, "margin_ratio": margin_ratio}
    return {"image": pixels, **labels}


def problem_row(name: str, reason: str) -> Row:
    """Return the row of a source that yielded no crop."""
    return {"name": name, "error": reason}


@dataclasses.dataclass(frozen=True)
class Plan:
    """Sources of datasets, and how each becomes crops.

    Attributes:
        items: For each `.npz` to write, its sources; picklable and with a distinctive `repr`.
        make_worker: Makes what turns an item into rows of `crop_row` or `problem_row`; picklable.
        rule: How boxes are cropped; noted in the files.
        source: Where the items come from, for messages.
        files: Returns the files that an item is read from: other sizes or times make another job.
        stands_alone: Whether each item is a part of its own.
        skipped: Why other files are no sources, by name.
        are_degrees: As for `check_poses`.
        labeled_by: As in `FaceDataset`.
    """

    items: Mapping[Path, Sequence[Any]]
    make_worker: Callable[[], Worker]
    rule: CropRule
    source: str
    files: Callable[[Any], Iterable[Path]]
    stands_alone: bool = False
    skipped: Mapping[str, str] = dataclasses.field(default_factory=dict)
    are_degrees: bool = False
    labeled_by: str = ""


class PreprocessingConfig(Protocol):
    """A kind of dataset: its options, and the plan that follows from them."""

    @property
    def image_size(self) -> int:
        """Side of the crops in pixels."""

    @property
    def workers(self) -> int:
        """Number of processes; 0: one per core."""

    @property
    def strict(self) -> bool:
        """Whether to stop at the first source that yields no crop."""

    def plan(self) -> Plan:
        """Find the sources."""


def preprocess(config: PreprocessingConfig, progress: bool = False) -> PreprocessingReport:
    """Crop the faces of a dataset into `.npz` files; the same call resumes a job that was interrupted.

    Args:
        config: What to crop, and how: a `LandmarkPairsConfig` (300W-LP, AFLW2000), `BiwiConfig` or
            `FaceTableConfig` (photos of your own).
        progress: Whether to show a progress bar.

    Returns:
        The number of sources, the problems in the order of the sources, and the files.

    Raises:
        InputError: If there is no source, none yields a crop, or the poses cannot be in their unit; or, with
            `strict`, one yields none.

    Example:
        >>> fsanet_tf.synthesize(fsanet_tf.SyntheticConfig("heads", 4))
        >>> print(fsanet_tf.preprocess(fsanet_tf.LandmarkPairsConfig("heads", "heads.npz")))
        heads.npz: 4 crops of 4 sources, 0 left out
    """
    if isinstance(config, type) or not hasattr(config, "plan"):
        raise InputError(
            "config: expected a LandmarkPairsConfig, BiwiConfig or FaceTableConfig, received "
            f"{reprlib.repr(config)}"
        )
    plan = config.plan()
    for output in plan.items:
        if writable_path(output).is_dir() or output.suffix != ".npz":
            raise InputError(f"{output}: expected an .npz file to write")
    parts: dict[Path, list[Part]] = {}
    max_items = 1 if plan.stands_alone else max(1, PART_BYTES // (3 * config.image_size**2))
    for output, members in plan.items.items():
        parts[output] = make_parts(members, sum(map(len, parts.values())), max_items)
    first_output = next(iter(plan.items))
    name = os.fsdecode(os.fsencode(first_output.name)[:MAX_NAME])
    folder = Folder(first_output.with_name(f"{name}.parts"))
    planned = [part for group in parts.values() for part in group]
    with folder.lock():
        job = Job(folder, plan.make_worker, _encode, f"-{_hash_job(config, plan, planned)}.npz")
        for name in folder.names():  # of a job with other options or sources
            if name != LOCK and not name.endswith(job.suffix):
                folder.delete(name)
        finished = set(job.finished())
        pending = [part for part in planned if part.number not in finished]
        sizes = {part.number: len(part.items) for part in planned}
        done = sum(sizes[number] for number in finished)
        with tqdm(total=sum(sizes.values()), unit="image", initial=done, disable=not progress) as bar:
            for number in run_parts(job, pending, config.workers) if pending else ():
                bar.update(sizes[number])
                if config.strict and (found := _read(job, number)[1]):
                    raise InputError(str(found[0]))
        read = {output: [_read(job, part.number) for part in group] for output, group in parts.items()}
        problems = tuple(problem for group in read.values() for _, found in group for problem in found)
        if config.strict and problems:
            raise InputError(str(problems[0]))
        num_crops = sum(_join(output, group, plan) for output, group in read.items())
    shutil.rmtree(folder.path)
    return PreprocessingReport(num_crops + len(problems), problems, tuple(plan.items), plan.skipped)


def _hash_job(config: Any, plan: Plan, parts: Sequence[Part]) -> str:
    """Return a hash of all that the crops depend on; parts of other jobs have other names."""
    options = {key: value for key, value in vars(config).items() if key not in NOT_IN_CROPS}
    states = [[state_of(path) for item in part.items for path in plan.files(item)] for part in parts]
    content = repr((fsanet_tf.__version__, options, parts, states))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _encode(rows: list[Row]) -> bytes:
    """Return the `.npz` of a part: crops and labels as in a dataset, and `problems`."""
    crops = [row for row in rows if "error" not in row]
    problems = [(row["name"], row["error"]) for row in rows if "error" in row]
    arrays: dict[str, Any] = {
        key: np.array([row[key] for row in crops]) for key in ("image", *LABELS) if crops
    }
    stream = io.BytesIO()
    np.savez(stream, problems=np.array(problems, str).reshape(-1, 2), **arrays)
    return stream.getvalue()


def _read(job: Job, number: int) -> tuple[dict[str, Any], list[Problem]]:
    """Read a finished part: crops, which stay in the file, with their labels (none if there are none)."""
    path = job.folder.path / job.name(number)
    arrays: dict[str, Any] = read_npz(path)
    problems = [Problem(*row) for row in arrays.pop("problems").tolist()]
    if arrays:
        arrays["image"] = FileImages(path, arrays["image"])
    return arrays, problems


def _join(output: Path, parts: Sequence[tuple[dict[str, Any], list[Problem]]], plan: Plan) -> int:
    """Write the crops of parts as a dataset; return their number."""
    found = [arrays for arrays, _ in parts if arrays]
    if not found:
        first = next((f" ({problem})" for _, problems in parts for problem in problems), "")
        raise InputError(f"{output}: no source yielded a crop, nothing to write{first}")
    labels = {key: np.concatenate([arrays[key] for arrays in found]) for key in LABELS}
    rule = {"square": plan.rule.square, "sampling": plan.rule.sampling, "labeled_by": plan.labeled_by}
    unit = DEGREES if plan.are_degrees else None
    images = JoinedImages([arrays["image"] for arrays in found])
    dataset = make_dataset(plan.source, {"image": images, **labels, **rule, "unit": unit})
    save_dataset(output, dataset)
    return len(dataset)
