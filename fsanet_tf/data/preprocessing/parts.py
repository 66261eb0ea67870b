"""Parallel, resumable preprocessing: tasks become part files, the part files one dataset.

The crops of each task are written to a part file next to the output. A killed run finds its parts again
and does the rest; memory contains one task per process, however large the dataset is.
"""

import dataclasses
import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from fsanet_tf.data.dataset import FaceLabels, write_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.io.files import replace_when_done
from fsanet_tf.parallel import exit_with_parent, num_cores, worker_context

__all__ = ["PreprocessingReport"]

Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Problem:
    """A source that yielded no crop: its name and, in a few words, why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclasses.dataclass
class Part:
    """The result of one task; `problems` are the sources that yielded no crop."""

    images: list[np.ndarray] = dataclasses.field(default_factory=list)
    poses: list[np.ndarray] = dataclasses.field(default_factory=list)
    names: list[str] = dataclasses.field(default_factory=list)
    weights: list[float] = dataclasses.field(default_factory=list)
    groups: list[str] = dataclasses.field(default_factory=list)
    margin_ratios: list[float] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)

    def add(
        self,
        name: str,
        image: np.ndarray,
        pose: np.ndarray,
        margin_ratio: float,
        weight: float = 1.0,
        group: str = "",
    ) -> None:
        """Add a crop and its labels."""
        self.names.append(name)
        self.weights.append(weight)
        self.groups.append(group)
        self.margin_ratios.append(margin_ratio)
        self.images.append(image)
        self.poses.append(pose)


@dataclasses.dataclass(frozen=True)
class PreprocessingReport:
    """The result of a preprocessing run.

    Attributes:
        num_sources: Number of sources.
        problems: Those that yielded no crop.
        outputs: The files that were written.
        notes: Lines to heed.

    Example:
        >>> print(fsanet_tf.PreprocessingReport(10, (), (Path("faces.npz"),)))
        faces.npz: 10 crops of 10 sources, 0 left out
    """

    num_sources: int
    problems: tuple[Problem, ...]
    outputs: tuple[Path, ...]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        written = ", ".join(str(path) for path in self.outputs)
        count = self.num_sources - len(self.problems)
        return f"{written}: {count} crops of {self.num_sources} sources, {len(self.problems)} left out"


def in_tasks(items: Sequence[Item], size: int) -> list[tuple[Item, ...]]:
    """Split items into tasks of up to `size`."""
    return [tuple(items[start : start + size]) for start in range(0, len(items), size)]


def create_dataset(
    tasks: Sequence[Any],
    sizes: Sequence[int],
    process: Callable[..., Part],
    settings: Mapping[str, Any],
    outputs: Mapping[Path, Sequence[int]],
    *,
    image_size: int,
    square: bool,
    workers: int = 0,
    strict: bool = False,
) -> PreprocessingReport:
    """Process every task and write the datasets.

    Args:
        tasks: Inputs of `process`, picklable and with a distinctive `repr`.
        sizes: Number of sources per task, for the progress bar.
        process: A module-level function of a task and `settings`; runs in other processes.
        settings: Keyword arguments of `process`, with a distinctive `repr`.
        outputs: For each `.npz` to write, the numbers of the tasks that it contains.
        image_size: Side of the crops in pixels.
        square: Whether boxes were made square first; noted in the files.
        workers: Number of processes; 0: one per core.
        strict: Raise at the first source that yields no crop.

    Returns:
        The number of sources, the problems in the order of the tasks (each was printed when it occurred), and
        the files.

    Raises:
        InputError: If no source yields a crop, or one does not and `strict` is set.
    """
    job = functools.partial(process, **settings)
    first_output = next(iter(outputs))
    parts_dir = first_output.with_name(first_output.name + ".parts")
    _claim(parts_dir, repr((tasks, process.__qualname__, settings)))
    pending = [number for number in range(len(tasks)) if not _part_path(parts_dir, number).exists()]
    with tqdm(total=sum(sizes), unit="image", initial=sum(sizes) - sum(sizes[n] for n in pending)) as bar:
        for number in _process(tasks, pending, job, parts_dir, workers or num_cores()):
            bar.update(sizes[number])
            for problem in _read_problems(_part_path(parts_dir, number)):
                bar.write(f"left out: {problem}")
                if strict:
                    raise InputError(str(problem))
    paths = [_part_path(parts_dir, number) for number in range(len(tasks))]
    problems = [problem for path in paths for problem in _read_problems(path)]
    if strict and problems:
        raise InputError(str(problems[0]))
    for output, numbers in outputs.items():
        _join([paths[number] for number in numbers], output, image_size, square)
    shutil.rmtree(parts_dir)
    return PreprocessingReport(sum(sizes), tuple(problems), tuple(outputs))


def _claim(parts_dir: Path, settings: str) -> None:
    """Keep the parts of an earlier run of the same tasks; delete those of any other."""
    digest = hashlib.sha256(settings.encode()).hexdigest()
    claim = parts_dir / "run.json"
    if claim.exists() and json.loads(claim.read_text()) == digest:
        return
    shutil.rmtree(parts_dir, ignore_errors=True)
    with replace_when_done(claim) as temporary:
        temporary.write_text(json.dumps(digest))


def _part_path(parts_dir: Path, number: int) -> Path:
    return parts_dir / f"part-{number:06d}.npz"


def _process(tasks, pending, process, parts_dir, workers):
    """Run the pending tasks in other processes, which may crash; yield their numbers as they finish."""
    workers = min(workers, len(pending))
    context = worker_context("cv2", "scipy.io", "fsanet_tf.data.preprocessing.parts")
    with ProcessPoolExecutor(workers or 1, mp_context=context, initializer=exit_with_parent) as pool:
        numbers = {
            pool.submit(_write_part, process, tasks[number], _part_path(parts_dir, number)): number
            for number in pending
        }
        try:
            for future in as_completed(numbers):
                future.result()
                yield numbers[future]
        except BrokenExecutor as error:
            undone = [n for n in pending if not _part_path(parts_dir, n).exists()]
            suspects = " or ".join(_name(tasks[number]) for number in undone[:workers])
            raise InputError(
                f"a worker died on {suspects}: a source crashes the library that reads it, or memory ran "
                "out; the same command resumes where this stopped, --workers=1 narrows it down"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _name(task: Any) -> str:
    return f"{task[0]} … {task[-1]}" if isinstance(task, tuple) else str(task)


def _write_part(process: Callable[[Any], Part], task: Any, path: Path) -> None:
    part = process(task)
    problems = [(problem.name, problem.reason) for problem in part.problems]
    with replace_when_done(path) as temporary:
        np.savez(
            temporary,
            image=np.array(part.images, np.uint8),
            pose=np.array(part.poses, np.float64).reshape(-1, 3),
            name=np.array(part.names, str),
            weight=np.array(part.weights, np.float32),
            group=np.array(part.groups, str),
            margin_ratio=np.array(part.margin_ratios, np.float32),
            problems=np.array(problems, str).reshape(-1, 2),
        )


def _read_problems(path: Path) -> list[Problem]:
    with np.load(path) as part:
        return [Problem(*row) for row in part["problems"].tolist()]


def _join(paths: Sequence[Path], output: Path, image_size: int, square: bool) -> None:
    """Write one `.npz` from parts, one part in memory at a time."""
    columns: dict[str, list[np.ndarray]] = {
        key: [] for key in ("pose", "name", "weight", "group", "margin_ratio")
    }
    for path in paths:
        with np.load(path) as part:
            for key, values in columns.items():
                values.append(part[key])
    joint = {key: np.concatenate(values) for key, values in columns.items()}
    if not len(joint["pose"]):
        raise InputError(f"{output}: no source yielded a crop, nothing to write")
    labels = FaceLabels(
        joint["pose"], joint["name"], joint["weight"], joint["group"], joint["margin_ratio"], square
    )

    def images() -> Iterator[np.ndarray]:
        for path in paths:
            with np.load(path) as part:
                yield part["image"]

    write_dataset(output, images(), labels, image_size)
