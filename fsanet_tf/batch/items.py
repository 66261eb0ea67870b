"""Photos, encoded images and videos to label, from folders, lists, tables and file systems."""

from __future__ import annotations

import dataclasses
import fnmatch
import glob
import os
from collections.abc import Sequence
from pathlib import Path

from fsanet_tf.batch.folder import file_system
from fsanet_tf.batch.parts import state_of
from fsanet_tf.errors import InputError, OptionError, one_line, optional_dependencies, printable
from fsanet_tf.io.csv_tables import describe_columns, read_csv
from fsanet_tf.io.files import is_special, named_path, printable_name, read_text
from fsanet_tf.io.folders import describe_skipped, files_in
from fsanet_tf.prediction.sources import NEITHER, PHOTO_SUFFIXES, file_kind

PATH_COLUMNS = ("path", "file", "source")
BYTES_COLUMN = "bytes"
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
        is_video: Whether its frames are labeled, not it.
        size: Bytes of the file; None: unknown.
        modified_us: Time of its last change in microseconds since 1970; None: unknown.
        content: The encoded image itself, which is then not read.
    """

    name: str
    path: str
    row: int | None = None
    is_video: bool = False
    size: int | None = None
    modified_us: int | None = None
    content: bytes | None = dataclasses.field(default=None, repr=False)


def make_item(name: str, path: str, row: int | None = None) -> Item:
    """Describe a file, or an image in a Parquet file, as it is now."""
    is_video = row is None and "://" not in path and file_kind(path) == "video"
    return Item(printable(name), path, row, is_video, *state_of(path))


class Items:
    """Collects what sources contain, in a fixed order, each once.

    Args:
        sources: Folders, photos, videos, lists, tables, patterns or addresses, as of `LabelConfig`.

    Attributes:
        items: What there is to label.
        skipped: Why other files and folders are left out, by name.

    Raises:
        InputError: If there is no such source, or nothing in it.
    """

    def __init__(self, sources: str | Path | Sequence[str | Path]):
        self._items: dict[str, Item] = {}
        self.skipped: dict[str, str] = {}
        for source in [sources] if isinstance(sources, str | Path) else sources:
            self._found = 0
            self._find(str(source))
            if not self._found:
                found = f"found none{describe_skipped(self.skipped)}"
                raise InputError(f"{printable_name(source)}: expected photos or videos, {found}")

    @property
    def items(self) -> list[Item]:
        return list(self._items.values())

    def _find(self, text: str) -> None:
        if not text:
            raise OptionError("source", f"expected {EXPECTED_SOURCE}, received an empty text")
        path = Path(text)
        if "://" in text:
            self._find_in_file_system(text)
        elif glob.has_magic(text) and not path.exists():
            for name in sorted(glob.glob(text, recursive=True)):
                if os.path.isfile(name):
                    self._add_if_known(name)
        elif path.is_dir() and path.suffix != ".parquet":
            for name in sorted(files_in(text, self.skipped)):
                self._add_if_known(name)
        elif not path.exists():
            raise InputError(f"{printable_name(text)}: no such source (expected {EXPECTED_SOURCE})")
        elif path.suffix == ".parquet":
            self._read_parquet(path)
        elif path.suffix.lower() in (".txt", ".csv"):
            for name in _read_list(path) if path.suffix.lower() == ".txt" else _read_csv(path):
                self._add(name, resolved(path, name))
        else:
            self._add(printable_name(text), text)

    def _add(self, name: str, path: str, row: int | None = None) -> None:
        if is_special(path):
            self.skipped[printable_name(path)] = "device or pipe"
            return
        self._found += 1
        item = make_item(name, path, row)
        first = self._items.setdefault(item.name, item)
        if (first.path, first.row) != (path, row):
            self.skipped[f"{printable_name(path)}, row {row}"] = "another image of the same name"

    def _add_if_known(self, path: str) -> None:
        if file_kind(path):
            self._add(printable_name(path), path)
        else:
            self.skipped[printable_name(path)] = NEITHER

    def _read_parquet(self, path: Path) -> None:
        """List a Parquet file's images: their bytes stay there until a worker reads its rows."""
        with optional_dependencies():
            import pyarrow as pa
            import pyarrow.parquet as pq

        try:
            names = pq.read_schema(path).names if path.is_file() else pq.ParquetDataset(path).schema.names
            has_bytes = BYTES_COLUMN in names and path.is_file()
            column = next((name for name in PATH_COLUMNS if name in names), None)
            if column is None and not has_bytes:
                raise InputError(
                    f"{path}: expected a column {' or '.join(PATH_COLUMNS)}, found {', '.join(names)}"
                )
            rows = pq.read_metadata(path).num_rows if has_bytes else 0
            labels = pq.read_table(path, columns=[column])[column].to_pylist() if column else range(rows)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: expected a Parquet file, could not read it ({error})") from error
        for row, label in enumerate(labels):
            if has_bytes:
                name = f"{printable_name(path)}, row {row}" if label in (None, "") else str(label)
                self._add(name, str(path), row)
            elif label:
                self._add(label, resolved(path, label))

    def _find_in_file_system(self, address: str) -> None:
        """List the photos at an address, which may be a pattern, of a file system that pyarrow knows."""
        parts = address.split("/")
        wild = [number for number, part in enumerate(parts) if glob.has_magic(part)]
        base = "/".join(parts[: wild[0]] if wild else parts)
        system, root = file_system(base)
        from pyarrow import fs

        try:
            info = system.get_file_info(root)
            infos = [info] if info.is_file else system.get_file_info(fs.FileSelector(root, recursive=True))
        except (OSError, ValueError) as error:
            raise InputError(f"{address}: could not list it ({one_line(error)})") from error
        for info in sorted(infos, key=lambda info: info.path):
            name = base.rstrip("/") + info.path.removeprefix(root)
            if not info.is_file or (wild and not _matches(name.split("/"), parts)):
                continue
            if Path(name).suffix.lower() not in PHOTO_SUFFIXES:
                self.skipped[name] = "not a photo by its name (videos are read from this machine)"
                continue
            self._found += 1
            modified_us = info.mtime_ns // 1000 if info.mtime_ns is not None else None
            self._items.setdefault(name, Item(name, name, None, False, info.size, modified_us))


def _read_list(path: Path) -> list[str]:
    return [line for line in map(str.strip, read_text(path).split("\n")) if line]


def _read_csv(path: Path) -> list[str]:
    names, lines = read_csv(path, PATH_COLUMNS)
    column = next((name for name in PATH_COLUMNS if name in names), None)
    if column is None:
        raise InputError(f"{path}: expected a column {' or '.join(PATH_COLUMNS)}, {describe_columns(names)}")
    return [cells[column] for _, cells in lines if cells[column]]


def resolved(table: Path, name: str) -> str:
    """Resolve a path of a list or table: from the working directory, else from the table's folder."""
    if "://" in name:
        return name
    found = named_path(name)
    return str(found if os.path.exists(found) else named_path(str(table.parent / name)))


def _matches(parts: list[str], patterns: list[str]) -> bool:
    """Match the parts of an address; `**` stands for any number of them."""
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return _matches(parts, patterns[1:]) or (bool(parts) and _matches(parts[1:], patterns))
    return bool(parts) and fnmatch.fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])
