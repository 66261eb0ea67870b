"""Error metrics over many faces: the paper's table, and what it does not show."""

import dataclasses

import numpy as np

from fsanet_tf.geometry.pose import ANGLE_NAMES, angle_errors, axis_vector_errors, geodesic_errors

YAW_RANGES = ((0, 30), (30, 60), (60, 99), (99, 180))
CONFIDENCE_LEVEL = 0.95
NUM_RESAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class Errors:
    """Mean errors of a set of faces, in degrees.

    Attributes:
        images: Number of faces.
        yaw, pitch, roll, mae: Mean absolute errors of the angles, and their mean.
        geodesic: Mean angle of the rotation between the poses.
        maev: Mean angle between the three axes.
    """

    images: int
    yaw: float
    pitch: float
    roll: float
    mae: float
    geodesic: float
    maev: float


@dataclasses.dataclass(frozen=True)
class Difference:
    """A paired difference of two networks' mean errors.

    Attributes:
        mean_deg: Mean error of the second minus that of the first; negative: the second is better.
        low_deg, high_deg: Its 95 % interval; None if all faces are of one group.
        groups: Number of groups that were resampled.
    """

    mean_deg: float
    low_deg: float | None
    high_deg: float | None
    groups: int

    def __str__(self) -> str:
        if self.low_deg is None:
            return f"{self.mean_deg:+.2f}° (no interval: all faces are of one group)"
        level = f"{100 * CONFIDENCE_LEVEL:.0f} %"
        return f"{self.mean_deg:+.2f}° ({level} interval {self.low_deg:+.2f}° to {self.high_deg:+.2f}°)"


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
    """Compute the mean errors for each range of the true |yaw| that contains a face, by name (`0-30`)."""
    yaw = np.abs(true_deg[:, 0])
    results = {}
    for low, high in YAW_RANGES:
        rows = (yaw >= low) & (yaw < high)
        if rows.any():
            results[f"{low}-{high}"] = measure(predicted_deg[rows], true_deg[rows])
    return results


def bootstrap_difference(
    first: np.ndarray, second: np.ndarray, groups: np.ndarray, seed: int = 0
) -> Difference:
    """Compute the difference of two networks' mean errors, with a bootstrap interval over groups.

    Faces of one group (a photo, a person, a video) are not independent, so whole groups are resampled.

    Args:
        first, second: Errors of the same faces, `(N,)`, in degrees.
        groups: Number of each face's group, `(N,)`, from 0.
        seed: Random seed.
    """
    difference = second - first
    sums, counts = np.bincount(groups, difference), np.bincount(groups)
    if len(counts) == 1:
        return Difference(float(difference.mean()), None, None, 1)
    rng = np.random.default_rng(seed)
    means = np.empty(NUM_RESAMPLES)
    for number in range(NUM_RESAMPLES):
        drawn = rng.integers(len(counts), size=len(counts))
        means[number] = sums[drawn].sum() / counts[drawn].sum()
    tail = 50 * (1 - CONFIDENCE_LEVEL)
    low, high = np.percentile(means, (tail, 100 - tail))
    return Difference(float(difference.mean()), float(low), float(high), len(counts))


def format_table(rows: dict[str, Errors], title: str = "|yaw|") -> str:
    """Format a table for the screen, one line per row, errors in degrees; `title` is that of the names."""
    width = max(8, *map(len, (title, *rows)))
    header = f"{title:>{width}} {'images':>7}" + "".join(
        f"{name:>10}" for name in (*ANGLE_NAMES, "MAE", "geodesic", "MAEV")
    )
    lines = [header]
    for name, row in rows.items():
        values = (row.yaw, row.pitch, row.roll, row.mae, row.geodesic, row.maev)
        lines.append(f"{name:>{width}} {row.images:>7}" + "".join(f"{value:>10.2f}" for value in values))
    return "\n".join(lines)
