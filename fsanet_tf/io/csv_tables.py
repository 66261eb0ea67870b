"""Tables of a user's as CSV: columns in any case, lines that fit the header, any encoding of `read_text`."""

import csv
import io
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from fsanet_tf.errors import InputError
from fsanet_tf.io.files import read_text

SEPARATORS = {";": "semicolons", "\t": "tabs"}
MAX_SHOWN = 200  # characters of a header in a message


def read_csv(path: Path, known: Collection[str]) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """Read a CSV with a header.

    Args:
        path: The file.
        known: Columns whose names are understood in any case.

    Returns:
        The names of the columns, and each line's number and its cells by column, without spaces around them.

    Raises:
        InputError: If it cannot be read, a known column occurs twice, or, while lines are taken, one has more
            cells than the header.
    """
    reader = csv.reader(io.StringIO(read_text(path)), strict=True)
    rows = ((number, row) for number, row in _rows(path, reader) if row)
    _, header = next(rows, (0, []))
    names = [name.lower() if name.lower() in known else name for name in header]
    for name in names:
        if name in known and names.count(name) > 1:
            raise InputError(f"{path}: the column {name} occurs twice")
    return names, ((number, _cells(path, number, names, row)) for number, row in rows)


def _rows(path: Path, reader: Any) -> Iterator[tuple[int, list[str]]]:
    try:
        for row in reader:
            yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise InputError(f"{path}: expected a CSV, could not read it ({error})") from error


def _cells(path: Path, number: int, names: list[str], row: list[str]) -> dict[str, str]:
    if more := ", ".join(filter(None, row[len(names) :])):
        raise InputError(
            f"{path}: line {number} has more cells than the header, received {more[:MAX_SHOWN]!r} after the "
            "last; are there commas in a name or a number?"
        )
    return dict(zip(names, row + [""] * len(names), strict=False))


def describe_columns(names: Sequence[str]) -> str:
    """Name the columns that were found, and what separates them if that is no comma."""
    found = ", ".join(names)[:MAX_SHOWN] or "none"
    wrong = next((name for sign, name in SEPARATORS.items() if sign in found), None)
    return f"found {found}; separated by {wrong}, expected commas" if wrong else f"found {found}"
