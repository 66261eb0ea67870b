"""Parts on a Ray cluster, by Ray Data: its actors label, and write the files of their parts themselves."""

from __future__ import annotations

import contextlib
import logging
import pickle
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import cv2

from fsanet_tf.batch.config import LabelConfig
from fsanet_tf.batch.items import Item, make_item
from fsanet_tf.batch.labeler import Labeler
from fsanet_tf.batch.parts import Job, Part, rows_of
from fsanet_tf.batch.table import as_table
from fsanet_tf.errors import InputError, OptionError, one_line, optional_dependencies
from fsanet_tf.options import checked
from fsanet_tf.parallel import num_cores

__all__ = ["label_dataset"]

LOOPBACK = "127.0.0.1"
CONNECT_PATIENCE_S = 10.0
START_TRIES = 3  # Ray gives a node 30 seconds to start, which a busy machine may exceed


@contextlib.contextmanager
def ray_cluster(address: str | None, workers: int = 0, verbose: bool = False) -> Iterator[int]:
    """Join a running cluster, or start Ray on this machine, on the loopback address alone, for a block.

    Args:
        address: Of the cluster; None: start one.
        workers: Processes; 0: one per core.
        verbose: Whether Ray may log.

    Yields:
        The number of workers.

    Raises:
        InputError: If there is no such cluster, or Ray does not start.
    """
    with optional_dependencies():
        import ray
        from ray.data import DataContext

    options: dict[str, Any] = {"log_to_driver": verbose, "configure_logging": verbose}
    loggers = [logging.getLogger(name) for name in ("ray", "ray.data")]
    levels = [logger.level for logger in loggers]
    if not verbose:
        options["logging_level"] = logging.CRITICAL
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
    was_running = ray.is_initialized()
    if not was_running:
        if address:
            _connect(address, options)
        else:
            _start(workers or num_cores(), options)
    context = DataContext.get_current()
    bars, context.enable_progress_bars = context.enable_progress_bars, verbose
    try:
        yield workers or _num_cpus()
    finally:
        context.enable_progress_bars = bars
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if not was_running:
            ray.shutdown()


def _connect(address: str, options: dict[str, Any]) -> None:
    import ray

    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        if port.isdigit():  # Ray itself waits for minutes
            socket.create_connection((host, int(port)), CONNECT_PATIENCE_S).close()
        ray.init(address=address, **options)
    except (OSError, ValueError, RuntimeError) as error:
        reason = one_line(error)
        raise OptionError("address", f"no Ray cluster there, received {address} ({reason})") from error


def _start(workers: int, options: dict[str, Any]) -> None:
    import ray

    for attempt in range(1, START_TRIES + 1):
        try:
            ray.init(
                address="local",
                num_cpus=workers,
                include_dashboard=False,
                _node_ip_address=LOOPBACK,
                **options,
            )
            return
        except Exception as error:  # Ray raises a plain Exception when its node is late
            ray.shutdown()
            reason = one_line(error)
            if attempt == START_TRIES:
                raise InputError(f"Ray did not start on this machine ({reason})") from error
            print(f"Ray did not start in time, trying again ({reason})", file=sys.stderr)


class PartActor:
    """Runs parts in a Ray actor."""

    def __init__(self, job: Job):
        cv2.setNumThreads(1)
        self._job = job
        self._worker = job.make_worker()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[int]]:
        parts = [pickle.loads(content) for content in batch["part"]]
        return {"number": [self._job.run(part, self._worker) for part in parts]}


def run_in_ray(job: Job, parts: Sequence[Part], workers: int) -> Iterator[int]:
    """Run parts on the cluster; those of a lost worker or node are begun again elsewhere.

    Args:
        job: What to do; every node must reach its folder.
        parts: Those to do.
        workers: Number of actors.

    Yields:
        The numbers of the parts, as they finish.

    Raises:
        InputError: If a worker fails for another reason than a lost process or node.
    """
    import ray

    rows = [{"part": pickle.dumps(part)} for part in parts]
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows))  # else one worker gets them all
    numbers = _map_in_actors(dataset, PartActor, job, 1, min(workers, len(parts)))
    try:
        for row in numbers.iter_rows():
            yield row["number"]
    except ray.exceptions.RayError as error:
        lines = str(error).strip().splitlines()
        reason = next((line.strip() for line in reversed(lines) if "Error: " in line), lines[-1])
        raise InputError(
            f"{job.folder.address}: a worker failed ({reason}); the same call resumes"
        ) from error


class DatasetActor:
    """Labels the rows of a user's dataset in a Ray actor."""

    def __init__(self, config: LabelConfig):
        cv2.setNumThreads(1)
        self._labeler = Labeler(config)

    def __call__(self, batch: dict[str, Any]) -> Any:
        names = [str(name) for name in batch["path"]]
        if "bytes" in batch:
            contents = zip(names, batch["bytes"], strict=True)
            items = [Item(name, name, size=len(content), content=content) for name, content in contents]
        else:
            items = [make_item(name, name) for name in names]
        return as_table([row for item in items for row in rows_of(self._labeler, item)])


def label_dataset(dataset: Any, config: LabelConfig | None = None, workers: int = 0) -> Any:
    """Label a Ray dataset, as a stage of your own pipeline.

    Args:
        dataset: A `ray.data.Dataset` with a column `path`, and optionally `bytes`, encoded images, which
            `path` then identifies.
        config: How to label; `source` and `output` are not used. Default: `LabelConfig()`.
        workers: Number of actors, each with one core; 0: one per core of the cluster.

    Returns:
        A `ray.data.Dataset` with a row per face, per image without faces, and per failure; docs/batch.md
        lists the columns.

    Raises:
        MissingExtraError: If Ray is not installed.

    Example:
        >>> import ray.data
        >>> images = ray.data.from_items([{"path": "photo.jpg"}])
        >>> from fsanet_tf.batch.ray_engine import label_dataset
        >>> faces = label_dataset(images, fsanet_tf.LabelConfig(detector="haar"), workers=1)
        >>> [abs(face["yaw"]) < 20 for face in faces.take_all()]
        [True]
    """
    with optional_dependencies():
        import ray

    if not isinstance(dataset, ray.data.Dataset):
        raise InputError(f"dataset: expected a ray.data.Dataset, received {type(dataset).__name__}")
    config = checked("config", LabelConfig, config or LabelConfig())
    workers = checked("workers", int, workers, low=0) or _num_cpus()
    return _map_in_actors(dataset, DatasetActor, config, 32, workers)


def _num_cpus() -> int:
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _map_in_actors(dataset: Any, actor: type, argument: Any, batch_size: int, workers: int) -> Any:
    import ray.data

    return dataset.map_batches(
        actor,
        fn_constructor_args=(argument,),
        batch_size=batch_size,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers),
        num_cpus=1,
    )
