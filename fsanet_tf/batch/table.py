"""The table of labels: its columns, and the folder of Parquet files that contains it."""

from __future__ import annotations

import hashlib
import itertools
import json
import warnings
from collections.abc import Collection, Sequence
from typing import Any

from fsanet_tf.batch.config import LabelConfig
from fsanet_tf.batch.items import Item
from fsanet_tf.batch.labeler import about_of
from fsanet_tf.batch.parts import Job, Part, Row, make_parts
from fsanet_tf.detection.face_pose import COLUMNS
from fsanet_tf.errors import InputError, one_line, optional_dependencies
from fsanet_tf.networks.pretrained import list_networks, network_sha256

with optional_dependencies():
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

SCHEMA = pa.schema(
    [
        ("source", pa.string()),  # path or address of the photo or video
        ("source_bytes", pa.int64()),  # its size, and the time of its last change: other ones get new rows
        ("source_modified", pa.timestamp("us", "UTC")),
        ("frame", pa.int64()),  # number of the video's frame, from 0; null for a photo
        ("time_s", pa.float64()),  # time of that frame in seconds; null for a photo
        ("face", pa.int32()),  # number of the face in its image, from 0; null without faces
        *((name, pa.float64()) for name in COLUMNS),  # null where there is none
        ("network", pa.string()),
        ("detector", pa.string()),
        ("version", pa.string()),  # of fsanet_tf
        ("error", pa.string()),  # why the image could not be labeled; null if it was
    ]
)
JOB = "_job.json"
OPTIONS = ("margin_ratio", "mirror", "every_s")  # that change the labels, besides what labels


def as_table(rows: Sequence[Row]) -> pa.Table:
    """Build the table of rows, whose missing columns are null."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def encode(rows: Sequence[Row]) -> Any:
    """Return the Parquet file of a part."""
    return _as_parquet(as_table(rows))


def _as_parquet(table: pa.Table) -> Any:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue()


class Table:
    """The table of a labeling job.

    Args:
        job: Its folder and its parts.
    """

    def __init__(self, job: Job):
        self._job = job

    def part(self, number: int, columns: list[str] | None = None) -> pa.Table:
        """Read the file of a part.

        Raises:
            InputError: If it is damaged.
        """
        folder, name = self._job.folder, self._job.name(number)
        try:
            file = pq.ParquetFile(pa.BufferReader(folder.read(name) or b""))
            return file.read(columns=columns, use_threads=False).select(columns or SCHEMA.names)
        except (OSError, KeyError, pa.ArrowException) as error:
            reason = one_line(error)
            raise InputError(
                f"{folder.address}/{name}: expected a part of the table, could not read it ({reason})"
            ) from error

    def read(self, columns: list[str] | None = None) -> pa.Table:
        """Read the whole table: the rows in the order of the source, those of added photos last."""
        tables = [self.part(number, columns).replace_schema_metadata() for number in self._job.finished()]
        return pa.concat_tables(tables) if tables else SCHEMA.empty_table()

    def plan(self, items: Sequence[Item], config: LabelConfig) -> tuple[list[Part], int]:
        """Take the folder for a job, or resume, extend or repair it.

        Rows of photos that have changed since, and of failures to be tried again, are deleted, and so are
        damaged files, whose photos are labeled again.

        Returns:
            The parts to do, and the number of labeled photos and videos that the source no longer contains.

        Raises:
            InputError: If the folder contains another job, or anything else.
        """
        columns = ["source", "source_bytes", "source_modified", "error"]
        current = {item.name: (item.size, item.modified_us) for item in items}
        stale: dict[int, set[str]] = {}
        labeled: set[str] = set()
        damaged: list[int] = []
        for number in self._job.finished():
            try:
                rows = self.part(number, columns)
            except InputError as problem:
                warnings.warn(f"{problem}; its photos are labeled again", stacklevel=3)
                damaged.append(number)
                continue
            states = zip(
                rows["source"].to_pylist(),
                rows["source_bytes"].to_pylist(),
                rows["source_modified"].cast(pa.int64()).to_pylist(),
                rows["error"].to_pylist(),
                strict=True,
            )
            for name, size, modified_us, error in states:
                if (error and config.retry_failed) or current.get(name, (size, modified_us)) != (
                    size,
                    modified_us,
                ):
                    stale.setdefault(number, set()).add(name)
                labeled.add(name)
        first = self._claim(items, config, labeled, bool(stale))
        for number, names in stale.items():
            self._delete(number, names)
            labeled -= names
        for number in damaged:
            self._job.folder.delete(self._job.name(number))
        parts = []
        taken = set(self._job.finished())
        free = itertools.count(max(taken, default=-1) + 1 + len(items))
        for part in make_parts(items, first, stands_alone=lambda item: item.is_video):
            pending = tuple(item for item in part.items if item.name not in labeled)
            if pending:  # another part has its number if a file was deleted from an extended job
                parts.append(Part(next(free) if part.number in taken else part.number, pending))
        return parts, len(labeled - set(current))

    def _claim(self, items: Sequence[Item], config: LabelConfig, labeled: set[str], repairs: bool) -> int:
        """Write down the job, unless it is there already; return the number of its first part."""
        what = {**about_of(config), "network_sha256": network_hash(config.network)}
        what |= {name: getattr(config, name) for name in OPTIONS}
        digest = hashlib.sha256("\n".join(map(repr, items)).encode("utf-8", "surrogatepass")).hexdigest()
        folder, address = self._job.folder, self._job.folder.address
        content = folder.read(JOB)
        earlier = None if content is None else _earlier_job(f"{address}/{JOB}", content)
        if earlier is None:
            if [name for name in folder.names() if not name.startswith((".", "_"))]:
                raise InputError(f"{address}: contains other files, expected a new or empty folder")
            first = 0
        else:
            for name, value in what.items():
                if earlier.get(name) != value:
                    raise InputError(
                        f"{address}: contains another job, {name} was {earlier.get(name)}, received {value}; "
                        "expected the same, or another output"
                    )
            if labeled and not labeled & {item.name for item in items}:
                raise InputError(
                    f"{address}: contains another job, the labels of other photos; expected another output"
                )
            if earlier["items_sha256"] == digest and not repairs:
                return earlier["first_part"]
            first = max(self._job.finished(), default=-1) + 1
        job = {**what, "images": len(items), "items_sha256": digest, "first_part": first}
        folder.write(JOB, json.dumps(job, indent=2).encode())
        return first

    def _delete(self, number: int, sources: Collection[str]) -> None:
        """Delete the rows of sources from the file of a part."""
        table = self.part(number)
        kept = table.filter(pc.invert(pc.is_in(table["source"], pa.array(sorted(sources)))))
        if len(kept):
            self._job.folder.write(self._job.name(number), _as_parquet(kept))
        else:
            self._job.folder.delete(self._job.name(number))

    def summary(self) -> dict[str, int]:
        """Count `photos` (and videos), `faces` and `failures` of the table."""
        table = self.read(["source", "yaw", "error"])
        return {
            "photos": pc.count_distinct(table["source"]).as_py(),
            "faces": len(table) - table["yaw"].null_count,
            "failures": len(table) - table["error"].null_count,
        }


def _earlier_job(name: str, content: bytes) -> dict[str, Any]:
    """Return what an earlier run has written down.

    Raises:
        InputError: If it is damaged.
    """
    try:
        job = json.loads(content)
        known = isinstance(job["items_sha256"], str) and isinstance(job["first_part"], int)
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise InputError(
            f"{name}: expected the description of a job, received damaged JSON; use another output"
        )
    return job


def network_hash(network: Sequence[str]) -> str | None:
    """Return the SHA-256 of a network's files: other ones under the same name make another job."""
    files = [name for name in network if name not in list_networks()]
    return ",".join(digest for name in files for digest in network_sha256(name).values()) or None
