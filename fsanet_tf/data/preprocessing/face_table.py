"""A table of faces from any source, as crops and poses: own photos, crops of other datasets, labels.

The table is a CSV with a line per face, or a Parquet table that `fsanet label` wrote. Required columns:
`file`, and `yaw`, `pitch`, `roll` in degrees. Optional ones: `left`, `top`, `right`, `bottom` (landmark box
in pixels; without it, the image is a crop already), `margin_ratio` (of such a crop), `weight` (how much the
face counts in training), `group` (faces of one group are never split between training and validation).
"""

import csv
import dataclasses
import math
from pathlib import Path

import numpy as np

from fsanet_tf.data.preprocessing.parts import Part, PreprocessingReport, Problem, create_dataset, in_tasks
from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.geometry.crop import IMAGE_SIZE, CropRule, crop_box, grow_box
from fsanet_tf.geometry.pose import ANGLE_NAMES
from fsanet_tf.io.files import require_file
from fsanet_tf.io.images import read_image

__all__ = ["create_from_table"]

ROWS_PER_TASK = 200
BOX = ("left", "top", "right", "bottom")
REQUIRED_COLUMNS = ("file", *ANGLE_NAMES)
COLUMNS = (*REQUIRED_COLUMNS, *BOX, "margin_ratio", "weight", "group")
SHIPPED_CROP = CropRule(0.29, square=True)  # what the shipped networks expect


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of a table: its number and its cells, by column."""

    number: int
    cells: dict[str, str]

    def __str__(self) -> str:
        return f"line {self.number}"

    def numbers(self, *columns: str) -> tuple[float, ...]:
        """Return cells as finite numbers.

        Raises:
            InputError: If one is not.
        """
        values = []
        for column in columns:
            try:
                value = float(self.cells[column])
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise InputError(f"{column}: expected a number, received {self.cells[column]!r}")
            values.append(value)
        return tuple(values)


def read_table(path: Path) -> list[Row]:
    """Read a table of faces.

    Raises:
        InputError: If it cannot be read, lacks a column, or has no face.
    """
    if path.suffix == ".parquet":
        return _read_labels(path)
    path = require_file(path, f"a CSV with the columns {', '.join(REQUIRED_COLUMNS)}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [column for column in REQUIRED_COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"{path}: expected the columns {', '.join(REQUIRED_COLUMNS)}, {missing[0]} is missing"
                )
            rows = [
                Row(reader.line_num, {key: line.get(key) or "" for key in COLUMNS if key in line})
                for line in reader
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: expected a CSV, could not read it ({error})") from error
    if not rows:
        raise InputError(f"{path}: expected a line per face, found none")
    return rows


def _read_labels(path: Path) -> list[Row]:
    """Read the faces of a table that `fsanet label` wrote, with their landmark boxes."""
    with optional_dependencies():
        import pyarrow as pa
        import pyarrow.parquet as pq

    columns = {"source": "file", **{name: name for name in ANGLE_NAMES}}
    columns |= {f"landmark_{edge}": edge for edge in BOX}
    try:
        labels = pq.read_table(path, columns=list(columns)).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: expected a table of fsanet label, could not read it ({error})") from error
    rows = [
        Row(number, {columns[name]: str(value) for name, value in label.items()})
        for number, label in enumerate(labels, 1)
        if label["yaw"] is not None
    ]
    if not rows:
        raise InputError(f"{path}: expected a face, found none")
    return rows


def crop_row(row: Row, image_dir: Path, rule: CropRule, image_size: int, part: Part) -> None:
    """Add the face of one line to a part.

    Raises:
        InputError: If the image or a cell cannot be used.
    """
    pose = np.array(row.numbers(*ANGLE_NAMES))
    if np.abs(pose).max() > 180:
        raise InputError(f"expected angles within ±180°, received {pose.tolist()}")
    weight = row.numbers("weight")[0] if row.cells.get("weight") else 1.0
    if weight < 0:
        raise InputError(f"weight: expected a number of 0 or more, received {weight:g}")
    image = read_image(image_dir / row.cells["file"])
    margin_ratio = rule.margin_ratio
    if all(row.cells.get(edge) for edge in BOX):
        left, top, right, bottom = row.numbers(*BOX)
        box = grow_box((left, top, right, bottom), rule, image.shape)
    else:
        box = (0, 0, image.shape[1], image.shape[0])  # a crop already
        if row.cells.get("margin_ratio"):
            margin_ratio = CropRule(row.numbers("margin_ratio")[0]).margin_ratio
    crop = crop_box(image, box, image_size)
    part.add(row.cells["file"], crop, pose, margin_ratio, weight, row.cells.get("group", ""))


def crop_rows(rows: tuple[Row, ...], image_dir: Path, rule: CropRule, image_size: int) -> Part:
    """Crop the faces of one task; failures are noted by line and file."""
    part = Part()
    for row in rows:
        try:
            crop_row(row, image_dir, rule, image_size, part)
        except InputError as error:
            part.problems.append(Problem(f"line {row.number}, {row.cells['file']}", str(error)))
    return part


def create_from_table(
    table: str | Path,
    output: str | Path,
    image_dir: str | Path | None = None,
    *,
    rule: CropRule = SHIPPED_CROP,
    image_size: int = IMAGE_SIZE,
    workers: int = 0,
    strict: bool = False,
) -> PreprocessingReport:
    """Crop the faces of a table into an `.npz`.

    Args:
        table: CSV with a line per face: `file`, `yaw`, `pitch`, `roll`, and the optional columns `left`,
            `top`, `right`, `bottom`, `margin_ratio`, `weight`, `group`; or what `label` wrote, whose frames
            of videos are left out.
        output: The `.npz` to write.
        image_dir: Folder that the file names start from; None: the table's.
        rule: How to crop around the boxes; faces without a box are crops of that rule already, unless
            `margin_ratio` says otherwise.
        image_size: Side of the crops in pixels.
        workers: Number of processes; 0: one per core.
        strict: Raise at the first line that yields no crop.

    Returns:
        The number of lines, the problems, and the file.

    Raises:
        InputError: If the table cannot be used or yields no crop; or, with `strict`, an invalid line.

    Example:
        >>> print(fsanet_tf.create_from_table("table.csv", "own.npz", workers=1))
        own.npz: 2 crops of 2 sources, 0 left out
    """
    table, output = Path(table), Path(output)
    rows = read_table(table)
    tasks = in_tasks(rows, ROWS_PER_TASK)
    report = create_dataset(
        tasks,
        [len(task) for task in tasks],
        crop_rows,
        {"image_dir": Path(image_dir or table.parent), "rule": rule, "image_size": image_size},
        {output: range(len(tasks))},
        image_size=image_size,
        square=rule.square,
        workers=workers,
        strict=strict,
    )
    return dataclasses.replace(report, notes=tuple(_doubts(table, rows)))


def _doubts(table: Path, rows: list[Row]) -> list[str]:
    """Lines about a table that is valid, but probably not meant so."""
    try:
        angles = [abs(angle) for row in rows for angle in row.numbers(*ANGLE_NAMES)]
    except InputError:  # reported with its line
        return []
    if max(angles) <= math.pi:
        return [f"{table}: all angles lie within ±{math.pi:.2f}; expected degrees, are these radians?"]
    return []
