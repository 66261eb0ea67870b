"""The folder of a labeling job: one Parquet file per task, written atomically and found again on resume.

A task's file is named after its number, so a task that runs twice, after a kill or on two nodes, yields one
file. Names that begin with an underscore are no data to readers of Parquet: `_job.json` describes the job,
`_tries-…` counts how often an unfinished task was begun.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fsanet_tf
from fsanet_tf.batch.config import LabelerConfig
from fsanet_tf.batch.items import Item
from fsanet_tf.batch.table import SCHEMA, Counts, as_table
from fsanet_tf.errors import InputError, optional_dependencies

with optional_dependencies():
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import fs

JOB = "_job.json"
COUNTS, WORKER = b"fsanet_tf.counts", b"fsanet_tf.worker"


class Output:
    """The output folder, on any file system that pyarrow knows.

    Args:
        address: A folder, or an address such as `s3://bucket/poses.parquet`.
    """

    def __init__(self, address: str):
        self.address = address if "://" in address else str(Path(address).resolve())

    def __reduce__(self) -> tuple[Any, ...]:
        return Output, (self.address,)

    def _system(self) -> tuple[fs.FileSystem, str]:
        try:
            system, root = fs.FileSystem.from_uri(self.address)
        except (OSError, ValueError) as error:
            raise InputError(f"{self.address}: expected a folder to write ({error})") from error
        return system, root.rstrip("/")

    def claim(self, items: Sequence[Item], config: LabelerConfig) -> None:
        """Take the folder for a job; an earlier run of the same job is resumed.

        Raises:
            InputError: If the folder contains another job, or anything else.
        """
        system, root = self._system()
        job = {
            "version": fsanet_tf.__version__,
            **dataclasses.asdict(config),
            "images": len(items),
            "images_sha256": hashlib.sha256("\n".join(map(repr, items)).encode()).hexdigest(),
        }
        found = system.get_file_info(fs.FileSelector(root, allow_not_found=True))
        if JOB in [info.base_name for info in found]:
            with system.open_input_stream(f"{root}/{JOB}") as stream:
                earlier = json.loads(stream.read())
            for name, value in job.items():
                if earlier.get(name) != value:
                    raise InputError(
                        f"{self.address}: contains another job, {name} was {earlier.get(name)}, "
                        f"received {value}; expected the same, or another --output"
                    )
            return
        if [info for info in found if not info.base_name.startswith((".", "_"))]:
            raise InputError(f"{self.address}: contains other files, expected a new or empty folder")
        try:
            system.create_dir(root)
            self._write(system, f"{root}/{JOB}", json.dumps(job, indent=2).encode())
        except OSError as error:
            raise InputError(f"{self.address}: cannot write there: {error}") from error

    def finished(self) -> set[int]:
        """Return the numbers of the tasks whose files are there."""
        system, root = self._system()
        infos = system.get_file_info(fs.FileSelector(root))
        return {
            int(info.base_name.removeprefix("part-").removesuffix(".parquet"))
            for info in infos
            if info.base_name.startswith("part-") and info.base_name.endswith(".parquet")
        }

    def begin(self, number: int) -> int:
        """Note that a task begins; return how often it was begun before without being finished."""
        system, root = self._system()
        path = f"{root}/_tries-{number:06d}"
        tries = 0
        if system.get_file_info(path).is_file:
            with system.open_input_stream(path) as stream:
                tries = int(stream.read() or 0)
        self._write(system, path, str(tries + 1).encode())
        return tries

    def write(self, number: int, rows: Sequence[dict[str, Any]], counts: Counts, worker: str) -> None:
        """Write a task's file, which also says what was counted and by whom."""
        system, root = self._system()
        about = {COUNTS: json.dumps(dataclasses.asdict(counts)), WORKER: worker}
        table = as_table(rows).replace_schema_metadata(about)
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        self._write(system, f"{root}/part-{number:06d}.parquet", sink.getvalue())
        system.delete_file(f"{root}/_tries-{number:06d}")

    def _write(self, system: fs.FileSystem, path: str, content: Any) -> None:
        """Write a file atomically; it may be written by several processes at once."""
        folder, _, name = path.rpartition("/")
        temporary = f"{folder}/_{name}.{uuid.uuid4().hex}"
        with system.open_output_stream(temporary) as stream:
            stream.write(content)
        system.move(temporary, path)

    def tidy(self) -> None:
        """Delete what killed workers left of a job that is now finished."""
        system, root = self._system()
        for info in system.get_file_info(fs.FileSelector(root)):
            if info.base_name.startswith(("_tries-", "_part-")):
                system.delete_file(info.path)

    def summary(self, number: int) -> tuple[Counts, str]:
        """Return what a finished task labeled, and which worker did it."""
        system, root = self._system()
        metadata = pq.read_schema(f"{root}/part-{number:06d}.parquet", filesystem=system).metadata
        return Counts(**json.loads(metadata[COUNTS])), metadata[WORKER].decode()

    def read(self) -> pa.Table:
        """Read the whole table, in the order of the source."""
        system, root = self._system()
        parts = [f"{root}/part-{number:06d}.parquet" for number in sorted(self.finished())]
        tables = [pq.read_table(part, filesystem=system).replace_schema_metadata() for part in parts]
        return pa.concat_tables(tables) if tables else SCHEMA.empty_table()
