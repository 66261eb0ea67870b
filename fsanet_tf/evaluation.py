"""How far predicted poses are from the true ones: the paper's table, and what it does not show."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np

from fsanet_tf.data.dataset import FaceDataset
from fsanet_tf.drawing import draw_axes, format_angles, write_text
from fsanet_tf.pictures import write_picture
from fsanet_tf.plots import draw_cumulative_error, draw_error_against_yaw
from fsanet_tf.pose import ANGLE_NAMES, angle_errors, axis_vector_errors, geodesic_errors

YAW_RANGES = ((0, 30), (30, 60), (60, 99), (99, 180))
NUM_WORST = 24
TILE = 160


@dataclasses.dataclass(frozen=True)
class Errors:
    """Mean errors of some faces, in degrees.

    Attributes:
        images: number of faces.
        yaw, pitch, roll, mae: mean absolute errors of the angles, and their mean.
        geodesic: mean angle of the rotation between the poses.
        maev: mean angle between the three axes.
    """

    images: int
    yaw: float
    pitch: float
    roll: float
    mae: float
    geodesic: float
    maev: float


def measure(predicted_deg: np.ndarray, true_deg: np.ndarray) -> Errors:
    """Mean errors of predicted poses `(N, 3)` from true ones `(N, 3)`, yaw, pitch, roll in degrees."""
    yaw, pitch, roll = angle_errors(predicted_deg, true_deg).mean(axis=0).tolist()
    return Errors(
        images=len(true_deg),
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        mae=(yaw + pitch + roll) / 3,
        geodesic=float(geodesic_errors(predicted_deg, true_deg).mean()),
        maev=float(axis_vector_errors(predicted_deg, true_deg).mean()),
    )


def measure_by_yaw(predicted_deg: np.ndarray, true_deg: np.ndarray) -> dict[str, Errors]:
    """`measure` for each range of the true |yaw| that holds a face, by its name such as `0–30°`."""
    yaw = np.abs(true_deg[:, 0])
    results = {}
    for low, high in YAW_RANGES:
        rows = (yaw >= low) & (yaw < high)
        if rows.any():
            results[f"{low}–{high}°"] = measure(predicted_deg[rows], true_deg[rows])
    return results


def format_table(rows: dict[str, Errors]) -> str:
    """A table for the screen: one line a row, errors in degrees."""
    header = f"{'|yaw|':>8} {'images':>7}" + "".join(
        f"{name:>10}" for name in (*ANGLE_NAMES, "MAE", "geodesic", "MAEV")
    )
    lines = [header]
    for name, row in rows.items():
        values = (row.yaw, row.pitch, row.roll, row.mae, row.geodesic, row.maev)
        lines.append(f"{name:>8} {row.images:>7}" + "".join(f"{value:>10.2f}" for value in values))
    return "\n".join(lines)


def draw_report(dataset: FaceDataset, rows: np.ndarray, predicted_deg: np.ndarray, output_dir: Path) -> None:
    """Draw error against yaw, the cumulative error and the worst faces of an evaluation.

    Args:
        dataset: the faces.
        rows: indices of those that count, `(N,)`.
        predicted_deg: their predicted poses, `(N, 3)`.
        output_dir: gets `error_against_yaw.png`, `cumulative_error.png` and `worst_faces.png`.
    """
    true_deg = dataset.poses[rows]
    errors = angle_errors(predicted_deg, true_deg)
    draw_error_against_yaw(errors, true_deg[:, 0], output_dir / "error_against_yaw.png")
    draw_cumulative_error(errors, output_dir / "cumulative_error.png")
    worst = np.argsort(-errors.mean(axis=1), kind="stable")[:NUM_WORST]
    tiles = [
        _worst_tile(dataset.images[rows[i]], predicted_deg[i], true_deg[i], str(dataset.names[rows[i]]))
        for i in worst
    ]
    tiles += [np.full_like(tiles[0], 40)] * (-len(tiles) % 4)
    sheet = np.vstack([np.hstack(tiles[i : i + 4]) for i in range(0, len(tiles), 4)])
    write_picture(output_dir / "worst_faces.png", sheet)


def _worst_tile(crop: np.ndarray, predicted_deg: np.ndarray, true_deg: np.ndarray, name: str) -> np.ndarray:
    """A face twice, predicted axes left and true ones right, with the numbers below."""
    tile = np.full((TILE + 52, 2 * TILE + 8, 3), 40, np.uint8)
    for column, (label, pose) in enumerate((("predicted", predicted_deg), ("true", true_deg))):
        face = cv2.resize(crop, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
        draw_axes(face, pose, (TILE / 2, TILE / 2), TILE * 0.4)
        left = column * (TILE + 4)
        tile[:TILE, left : left + TILE] = face
        write_text(tile, label, (left + 4, TILE + 30))
        write_text(tile, format_angles(pose), (left + 4, TILE + 46))
    write_text(tile, name, (4, TILE + 14))
    return tile
