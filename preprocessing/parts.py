"""Parallel, resumable preprocessing: tasks become part files, the part files one data set.

Each task's crops are written as a part beside the output. A run that is killed finds its parts again
and does the rest; memory holds one task a process, however large the data set is.
"""

import dataclasses
import functools
import hashlib
import json
import multiprocessing
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fsanet_tf.crop import CropRule
from fsanet_tf.errors import InputError
from fsanet_tf.files import replace_when_done


@dataclasses.dataclass(frozen=True)
class Problem:
    """A source that gave no crop: its name and, in a few words, why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


@dataclasses.dataclass
class Part:
    """What one task gave; `problems` are the sources that gave nothing."""

    images: list[np.ndarray] = dataclasses.field(default_factory=list)
    poses: list[np.ndarray] = dataclasses.field(default_factory=list)
    names: list[str] = dataclasses.field(default_factory=list)
    problems: list[Problem] = dataclasses.field(default_factory=list)

    def add(self, name: str, image: np.ndarray, pose: np.ndarray) -> None:
        self.names.append(name)
        self.images.append(image)
        self.poses.append(pose)


def create_dataset(
    tasks: Sequence[Any],
    sizes: Sequence[int],
    process: Callable[..., Part],
    settings: Mapping[str, Any],
    outputs: Mapping[Path, Sequence[int]],
    *,
    image_size: int,
    crop: CropRule,
    workers: int = 0,
    strict: bool = False,
) -> list[Problem]:
    """Process every task and write the data sets.

    Args:
        tasks: what `process` takes, picklable and with a telling `repr`.
        sizes: how many sources each task has, for the progress bar.
        process: a module-level function of a task and `settings`; runs in other processes.
        settings: keyword arguments of `process`, with a telling `repr`.
        outputs: for each `.npz` to write, the numbers of the tasks that go into it.
        image_size: side of the crops.
        crop: noted in the files.
        workers: processes; 0: one a core.
        strict: raise at the first source that gives no crop.

    Returns:
        The problems, in the order of the tasks; each was printed as it came up.

    Raises:
        InputError: no source gave a crop, or one did not and `strict` is set.
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
        _join([paths[number] for number in numbers], output, image_size, crop)
    shutil.rmtree(parts_dir)
    return problems


def num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_context() -> multiprocessing.context.BaseContext:
    """How workers start: not forked from this process, whose libraries have threads of their own."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cv2", "scipy.io", "preprocessing.parts"])  # imported once for all
    return context


def _claim(parts_dir: Path, settings: str) -> None:
    """Keep the parts of an earlier run of the same tasks; drop those of any other."""
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
    """Run the pending tasks in other processes, which may crash, and give their numbers as they end."""
    workers = min(workers, len(pending))
    with ProcessPoolExecutor(workers or 1, mp_context=worker_context()) as pool:
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
                "out; the same command goes on where this stopped, --workers=1 narrows it down"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _name(task: Path | Sequence[Path]) -> str:
    return str(task) if isinstance(task, Path) else f"{task[0]} … {task[-1].name}"


def _write_part(process: Callable[[Any], Part], task: Any, path: Path) -> None:
    part = process(task)
    problems = [(problem.name, problem.reason) for problem in part.problems]
    with replace_when_done(path) as temporary:
        np.savez(
            temporary,
            image=np.array(part.images, np.uint8),
            pose=np.array(part.poses, np.float64).reshape(-1, 3),
            name=np.array(part.names, str),
            problems=np.array(problems, str).reshape(-1, 2),
        )


def _read_problems(path: Path) -> list[Problem]:
    with np.load(path) as part:
        return [Problem(*row) for row in part["problems"].tolist()]


def _join(paths: Sequence[Path], output: Path, image_size: int, crop: CropRule) -> None:
    """Write one `.npz` from parts, a part in memory at a time."""
    poses, names = [], []
    for path in paths:
        with np.load(path) as part:
            poses.append(part["pose"])
            names.append(part["name"])
    pose, name = np.concatenate(poses), np.concatenate(names)
    if not len(pose):
        raise InputError(f"{output}: no source gave a crop, nothing to write")
    small = {"pose": pose, "name": name, "img_size": image_size, **dataclasses.asdict(crop)}
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(pose), image_size, image_size, 3)}
    with replace_when_done(output) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with archive.open("image.npy", "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for path in paths:
                with np.load(path) as part:
                    stream.write(part["image"].tobytes())
        for key, value in small.items():
            with archive.open(f"{key}.npy", "w") as stream:
                np.lib.format.write_array(stream, np.asarray(value), allow_pickle=False)
