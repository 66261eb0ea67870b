"""What there is to label: photos, encoded images and videos, from folders, lists, tables and file systems."""

from __future__ import annotations

import csv
import dataclasses
import fnmatch
import glob
from collections.abc import Iterable, Sequence
from pathlib import Path

from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.prediction.sources import PHOTO_SUFFIXES, VIDEO_SUFFIXES, file_kind

PATH_COLUMNS = ("path", "file", "source")
BYTES_COLUMN = "bytes"
TABLES = (".csv", ".parquet")
EXPECTED_SOURCE = (
    "a folder, photo, video, list (.txt), table (.csv, .parquet), a pattern such as photos/**/*.jpg, "
    "or an address of a file system"
)


@dataclasses.dataclass(frozen=True)
class Item:
    """A photo or a video to label.

    Attributes:
        name: What the table calls it, unique within a source.
        path: File, or address that pyarrow's file systems know.
        row: For an image inside a Parquet file: its row; None: the file itself.
    """

    name: str
    path: str
    row: int | None = None

    @property
    def may_be_video(self) -> bool:
        """Whether its name is one of a video or an animation."""
        return self.row is None and Path(self.path).suffix.lower() in (*VIDEO_SUFFIXES, ".webp")

    @property
    def is_video(self) -> bool:
        """Whether its frames are labeled, not it."""
        return self.row is None and "://" not in self.path and file_kind(self.path) == "video"


def find_items(source: str | Path | Sequence[str | Path]) -> list[Item]:
    """List what a source contains, in a fixed order.

    Args:
        source: A folder (searched recursively), a photo, a video, a `.txt` with a path per line, a `.csv` or
            `.parquet` with a column `path` (or `file`, `source`) or, in Parquet, `bytes`; a pattern or an
            address of a file system that pyarrow knows (`s3://…`); or a list of paths.

    Raises:
        InputError: If there is no such source, or nothing in it.
    """
    if not isinstance(source, str | Path):
        return _unique(Item(str(path), str(path)) for path in source)
    text, path = str(source), Path(source)
    if "://" in text:
        items = _find_in_file_system(text)
    elif glob.has_magic(text) and not path.exists():
        items = [Item(name, name) for name in sorted(glob.glob(text, recursive=True)) if Path(name).is_file()]
    elif path.is_dir() and path.suffix != ".parquet":
        found = sorted(p for p in path.rglob("*") if p.is_file() and file_kind(p))
        items = [Item(str(p), str(p)) for p in found]
    elif not path.exists():
        raise InputError(f"{text}: no such source (expected {EXPECTED_SOURCE})")
    elif path.suffix == ".txt":
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        items = [Item(line, line) for line in map(str.strip, lines) if line]
    elif path.suffix in TABLES:
        items = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    else:
        items = [Item(text, text)]
    if not items:
        raise InputError(f"{text}: expected photos or videos, found none")
    return _unique(items)


def _unique(items: Iterable[Item]) -> list[Item]:
    """Drop repetitions: each photo is labeled once."""
    return list({item.name: item for item in items}.values())


def _read_csv(path: Path) -> list[Item]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        column = _path_column(path, reader.fieldnames or ())
        return [Item(line[column], _resolve(path, line[column])) for line in reader if line[column]]


def _read_parquet(path: Path) -> list[Item]:
    """List a Parquet file's images: their bytes stay there until a worker reads its rows."""
    with optional_dependencies():
        import pyarrow as pa
        import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names if path.is_file() else pq.ParquetDataset(path).schema.names
        if BYTES_COLUMN in names and path.is_file():
            count = pq.read_metadata(path).num_rows
            column = next((name for name in PATH_COLUMNS if name in names), None)
            labels = pq.read_table(path, columns=[column])[column].to_pylist() if column else range(count)
            return [Item(f"{label}", str(path), row) for row, label in enumerate(labels)]
        column = _path_column(path, names)
        paths = pq.read_table(path, columns=[column])[column].to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: expected a Parquet file, could not read it ({error})") from error
    return [Item(name, _resolve(path, name)) for name in paths if name]


def _path_column(path: Path, names: Sequence[str]) -> str:
    for name in PATH_COLUMNS:
        if name in names:
            return name
    raise InputError(f"{path}: expected a column {' or '.join(PATH_COLUMNS)}, found {', '.join(names)}")


def _resolve(table: Path, name: str) -> str:
    """Resolve a path of a table: from the working directory, else from the table's folder."""
    return name if "://" in name or Path(name).exists() else str(table.parent / name)


def _find_in_file_system(address: str) -> list[Item]:
    """List the photos at an address, which may be a pattern, of a file system that pyarrow knows."""
    with optional_dependencies():
        from pyarrow import fs

    parts = address.split("/")
    wild = [number for number, part in enumerate(parts) if glob.has_magic(part)]
    base = "/".join(parts[: wild[0]] if wild else parts)
    try:
        system, root = fs.FileSystem.from_uri(base)
        info = system.get_file_info(root)
        infos = [info] if info.is_file else system.get_file_info(fs.FileSelector(root, recursive=True))
    except (OSError, ValueError) as error:
        raise InputError(f"{address}: could not list it ({' '.join(str(error).split())[:200]})") from error
    names = sorted(base + info.path.removeprefix(root) for info in infos if info.is_file)
    return [
        Item(name, name)
        for name in names
        if Path(name).suffix.lower() in PHOTO_SUFFIXES and (not wild or _matches(name.split("/"), parts))
    ]


def _matches(parts: list[str], patterns: list[str]) -> bool:
    """Match the parts of an address; `**` stands for any number of them."""
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return _matches(parts, patterns[1:]) or (bool(parts) and _matches(parts[1:], patterns))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])
