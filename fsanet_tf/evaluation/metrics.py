"""Error metrics over many faces: the paper's table, and what it does not show."""

import dataclasses

import numpy as np

from fsanet_tf.geometry.pose import ANGLE_NAMES, angle_errors, axis_vector_errors, geodesic_errors

__all__ = ["Errors"]

YAW_RANGES = ((0, 30), (30, 60), (60, 99), (99, 180))


@dataclasses.dataclass(frozen=True)
class Errors:
    """Mean errors of a set of faces, in degrees.

    Attributes:
        images: Number of faces.
        yaw, pitch, roll, mae: Mean absolute errors of the angles, and their mean.
        geodesic: Mean angle of the rotation between the poses.
        maev: Mean angle between the three axes.

    Example:
        >>> fsanet_tf.Errors(images=1, yaw=1.0, pitch=2.0, roll=3.0, mae=2.0, geodesic=3.5, maev=3.0).mae
        2.0
    """

    images: int
    yaw: float
    pitch: float
    roll: float
    mae: float
    geodesic: float
    maev: float


def measure(predicted_deg: np.ndarray, true_deg: np.ndarray) -> Errors:
    """Compute the mean errors of predicted poses `(N, 3)`; yaw, pitch, roll in degrees."""
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
    """Compute the mean errors for each range of the true |yaw| that contains a face, by name (`0–30°`)."""
    yaw = np.abs(true_deg[:, 0])
    results = {}
    for low, high in YAW_RANGES:
        rows = (yaw >= low) & (yaw < high)
        if rows.any():
            results[f"{low}–{high}°"] = measure(predicted_deg[rows], true_deg[rows])
    return results


def format_table(rows: dict[str, Errors]) -> str:
    """Format a table for the screen, one line per row, errors in degrees."""
    width = max(8, *map(len, rows))
    header = f"{'|yaw|':>{width}} {'images':>7}" + "".join(
        f"{name:>10}" for name in (*ANGLE_NAMES, "MAE", "geodesic", "MAEV")
    )
    lines = [header]
    for name, row in rows.items():
        values = (row.yaw, row.pitch, row.roll, row.mae, row.geodesic, row.maev)
        lines.append(f"{name:>{width}} {row.images:>7}" + "".join(f"{value:>10.2f}" for value in values))
    return "\n".join(lines)
