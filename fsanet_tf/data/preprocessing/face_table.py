"""A table of faces from any source, as crops and poses: own photos, crops of other datasets, labels.

The table is a CSV with a line per face, or a Parquet table that `fsanet label` wrote. Required columns:
`file`, and `yaw`, `pitch`, `roll` in degrees. Optional ones: `left`, `top`, `right`, `bottom` (face box in
pixels; `width` and `height` may stand for the last two; without a box, the image is a crop already),
`margin_ratio` (of such a crop), `weight` (how much the face counts in training), `group` (faces of one group
are never split between training and validation).
"""

import dataclasses
import functools
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fsanet_tf.batch.parts import Row
from fsanet_tf.data.preprocessing.crops import Plan, crop_row, problem_row
from fsanet_tf.data.preprocessing.landmark_pairs import LandmarkPairsConfig
from fsanet_tf.errors import InputError, OptionError, one_line, optional_dependencies, printable
from fsanet_tf.geometry.crop import BOX_NAMES, Box, CropRule, crop_box, crop_face
from fsanet_tf.geometry.pose import ANGLE_NAMES
from fsanet_tf.io.csv_tables import MAX_SHOWN, describe_columns, read_csv
from fsanet_tf.io.files import library_path, named_path, require_file
from fsanet_tf.io.images import read_image
from fsanet_tf.options import configuration, option, same_option

__all__ = ["FaceTableConfig"]

SIZE = ("width", "height")
REQUIRED_COLUMNS = ("file", *ANGLE_NAMES)
COLUMNS = (*REQUIRED_COLUMNS, *BOX_NAMES, *SIZE, "margin_ratio", "weight", "group")
# Names of boxes in other tables, without case and punctuation.
OTHER_BOX = re.compile(
    "(bbox|box|rect|roi)?|"
    "(bbox|box|rect|roi|face|b|c)?([xywhltrb]|[xy](0|1|2|c|min|max)|(min|max)[xy]|[xy]?cent(er|re)[xy]?|"
    "left|top|right|bottom|width|height)"
)
SHIPPED_CROP = CropRule(0.22, square=True, sampling="filtered")  # what the shipped networks expect
MIN_BOX = 2  # pixels; smaller ones are shares of the picture


@configuration
class FaceTableConfig:
    """Photos of your own, listed in a table, for `preprocess`.

    Example:
        >>> fsanet_tf.FaceTableConfig("faces.csv", "own.npz").square
        True
    """

    table: str = option(
        meaning="CSV with a row per face: file, yaw, pitch, roll, and optionally left, top, right, bottom, "
        "margin_ratio, weight, group; or a .parquet table of fsanet label, except its video frames."
    )
    output: str = same_option(LandmarkPairsConfig, "output")
    image_dir: str | None = option(None, "Folder to which file names are relative; by default the table's.")
    margin_ratio: float = same_option(LandmarkPairsConfig, "margin_ratio", SHIPPED_CROP.margin_ratio)
    cropped_margin_ratio: float | None = option(
        None,
        "Margin of images without a box, which are taken to be crops; or use a column margin_ratio.",
        low=0,
        high=5,
    )
    degrees: bool = option(
        False, "The angles are degrees, though they are so small that they could be radians."
    )
    square: bool = same_option(LandmarkPairsConfig, "square", SHIPPED_CROP.square)
    sampling: str = same_option(LandmarkPairsConfig, "sampling", SHIPPED_CROP.sampling)
    image_size: int = same_option(LandmarkPairsConfig, "image_size")
    workers: int = same_option(LandmarkPairsConfig, "workers")
    strict: bool = same_option(LandmarkPairsConfig, "strict")

    @property
    def rule(self) -> CropRule:
        """The rule by which boxes are cropped."""
        return CropRule(self.margin_ratio, self.square, self.sampling)

    def plan(self) -> Plan:
        """Read the table.

        Raises:
            InputError: If it cannot be used, or the margin of images that are crops already is not stated.
        """
        table = Path(self.table)
        lines = read_table(table)
        if self.cropped_margin_ratio is None:
            for line in lines:
                if not any(line.cells.get(column) for column in (*BOX_NAMES, *SIZE, "margin_ratio")):
                    raise OptionError(
                        "cropped_margin_ratio",
                        f"is required: line {line.number} of {table} has no box (left, top, right, bottom), "
                        "so its image is a crop already, and no margin_ratio says with which margin it was "
                        "cropped",
                    )
        image_dir = Path(self.image_dir or table.parent)
        return Plan(
            items={Path(self.output): lines},
            make_worker=functools.partial(FaceCropper, self, image_dir),
            rule=self.rule,
            source=self.table,
            files=lambda line: (line_file(line, image_dir),),
            are_degrees=self.degrees,
            labeled_by=", ".join(dict.fromkeys(line.labeled_by for line in lines if line.labeled_by)),
        )


@dataclasses.dataclass(frozen=True)
class Line:
    """A line of a table: its number, its cells by column, and the network that predicted its pose, if any."""

    number: int
    cells: Mapping[str, str]
    labeled_by: str = ""

    def numbers(self, *columns: str) -> tuple[float, ...]:
        """Return cells as finite numbers.

        Raises:
            InputError: If one is not.
        """
        values = []
        for column in columns:
            try:
                value = float(self.cells.get(column, ""))
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise InputError(f"{column}: expected a number, received {self.cells.get(column, '')!r}")
            values.append(value)
        return tuple(values)

    def box(self) -> Box | None:
        """Return the face box; None if the line has none.

        Raises:
            InputError: If a part of it is missing or not a number.
        """
        given = [column for column in (*BOX_NAMES, *SIZE) if self.cells.get(column)]
        if not given:
            return None
        if all(column in given for column in SIZE) and not {"right", "bottom"} & set(given):
            left, top, width, height = self.numbers("left", "top", *SIZE)
            return left, top, left + width, top + height
        missing = [column for column in BOX_NAMES if column not in given]
        if missing:
            raise InputError(f"box: expected {', '.join(BOX_NAMES)}, {' and '.join(missing)} missing")
        left, top, right, bottom = self.numbers(*BOX_NAMES)
        return left, top, right, bottom


def read_table(path: Path) -> list[Line]:
    """Read a table of faces.

    Raises:
        InputError: If it cannot be read, lacks a column, has a box in other columns, or has no face.
    """
    lines = _read_labels(path) if path.suffix == ".parquet" else _read_csv(path)
    if not lines:
        raise InputError(f"{path}: expected a line per face, found none")
    return lines


def _read_csv(path: Path) -> list[Line]:
    require_file(path, f"a CSV with the columns {', '.join(REQUIRED_COLUMNS)}")
    names, lines = read_csv(path, COLUMNS)
    _check_columns(path, names)
    return [Line(number, {key: cells[key] for key in COLUMNS if key in cells}) for number, cells in lines]


def _check_columns(path: Path, names: Sequence[str]) -> None:
    """Check the header of a table; warn about columns that are not used."""
    missing = [column for column in REQUIRED_COLUMNS if column not in names]
    if missing:
        raise InputError(
            f"{path}: expected the columns {', '.join(REQUIRED_COLUMNS)}, {missing[0]} is missing "
            f"({describe_columns(names)})"
        )
    box = [name for name in names if OTHER_BOX.fullmatch(re.sub("[^a-z0-9]", "", name.lower()))]
    if box and not {"left", "top"}.issubset(names):
        raise InputError(
            f"{path}: expected a box as {', '.join(BOX_NAMES)} or left, top, width, height, "
            f"found {', '.join(box)}"
        )
    unused = [name for name in names if name and name not in COLUMNS]
    if unused:
        warnings.warn(f"{path}: columns that are not used: {', '.join(unused)[:MAX_SHOWN]}", stacklevel=2)


def _read_labels(path: Path) -> list[Line]:
    """Read the faces of a table that `fsanet label` wrote; those of videos' frames are left out."""
    with optional_dependencies():
        import pyarrow as pa
        import pyarrow.parquet as pq

    columns = {"source": "file", **{name: name for name in (*ANGLE_NAMES, *BOX_NAMES)}}
    try:
        with library_path(path) as name:
            labels = pq.read_table(name, columns=[*columns, "frame", "network"]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        reason = one_line(error)
        raise InputError(f"{path}: expected a table of fsanet label, could not read it ({reason})") from error
    lines = [
        Line(number, {name: str(label[column]) for column, name in columns.items()}, label["network"] or "")
        for number, label in enumerate(labels, 1)
        if label["yaw"] is not None and label["frame"] is None
    ]
    if others := len(labels) - len(lines):
        frames = sum(label["frame"] is not None for label in labels)
        warnings.warn(
            f"{path}: {len(lines)} of {len(labels)} rows are faces of photos; the others are {frames} rows "
            f"of videos and {others - frames} photos without a face",
            stacklevel=2,
        )
    return lines


@dataclasses.dataclass(frozen=True)
class FaceCropper:
    """Crops the faces of a table's lines; file names start from `image_dir`."""

    config: FaceTableConfig
    image_dir: Path

    def work(self, line: Line) -> list[Row]:
        """Return the crop of a line's face.

        Raises:
            InputError: If the image or a cell cannot be used.
        """
        pose = np.array(line.numbers(*ANGLE_NAMES))
        if np.abs(pose).max() > 180:
            raise InputError(f"expected angles within ±180°, received {pose.tolist()}")
        weight = line.numbers("weight")[0] if line.cells.get("weight") else 1.0
        if weight < 0:
            raise InputError(f"weight: expected a number of 0 or more, received {weight:g}")
        box, rule, size = line.box(), self.config.rule, self.config.image_size
        if box is not None and min(box[2] - box[0], box[3] - box[1]) < MIN_BOX:
            raise InputError(
                f"box {box}: expected left, top, right, bottom in pixels, at least {MIN_BOX} apart"
            )
        image = read_image(line_file(line, self.image_dir))
        if box is not None:
            crop = crop_face(image, box, rule, size)
        else:
            own = line.numbers("margin_ratio")[0] if line.cells.get("margin_ratio") else None
            margin = self.config.cropped_margin_ratio if own is None else own
            assert margin is not None  # plan has asked for it
            rule = CropRule(margin)
            crop = crop_box(image, (0, 0, image.shape[1], image.shape[0]), size)
        name, group = printable(line.cells["file"]), printable(line.cells.get("group", ""))
        return [crop_row(name, crop, pose, rule.margin_ratio, weight, group)]

    def failure(self, line: Line, reason: str) -> Row:
        """Return why a line was left out."""
        return problem_row(f"line {line.number}, {printable(line.cells['file'])}", reason)


def line_file(line: Line, image_dir: Path) -> Path:
    """Return the image of a line."""
    return named_path(str(image_dir / line.cells["file"]))
