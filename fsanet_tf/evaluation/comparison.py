"""Two networks on the same faces: the difference of their errors, and their poses next to the true ones."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np

from fsanet_tf.data.dataset import FaceDataset
from fsanet_tf.drawing.poses import draw_axes, format_angles, write_text
from fsanet_tf.errors import InputError
from fsanet_tf.evaluation.evaluate import EvaluationReport
from fsanet_tf.geometry.pose import angle_errors
from fsanet_tf.io.images import write_image
from fsanet_tf.prediction.sinks import VideoSink

__all__ = ["Comparison", "compare_reports"]

CONFIDENCE_LEVEL = 0.95
NUM_RESAMPLES = 2000
TILE, CAPTION = 160, 44
NUM_PICTURED = 12
VIDEO_RATE = 2.0  # faces per second
MAX_VIDEO_FACES = 120


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The paired difference of two networks' mean absolute errors.

    Attributes:
        difference_deg: MAE of the second minus MAE of the first, in degrees; negative: the second is better.
        low_deg, high_deg: 95 % bootstrap interval of the difference.

    Example:
        >>> print(fsanet_tf.Comparison(-0.5, -0.6, -0.4))
        MAE -0.50° (95 % interval -0.60° to -0.40°)
    """

    difference_deg: float
    low_deg: float
    high_deg: float

    def __str__(self) -> str:
        interval = f"{self.low_deg:+.2f}° to {self.high_deg:+.2f}°"
        return f"MAE {self.difference_deg:+.2f}° ({CONFIDENCE_LEVEL:.0%} interval {interval})".replace(
            "%", " %"
        )


def compare_reports(first: EvaluationReport, second: EvaluationReport, seed: int = 0) -> Comparison:
    """Compare two networks on the same faces, face by face.

    Args:
        first, second: Reports of the same dataset.
        seed: Random seed of the bootstrap, which resamples the faces.

    Returns:
        The difference of the mean absolute errors with its interval.

    Raises:
        InputError: If the reports are about different faces.

    Example:
        >>> reports = [fsanet_tf.evaluate(name, "faces.npz") for name in ("1x1", "fusion")]
        >>> comparison = fsanet_tf.compare_reports(*reports)
        >>> comparison.low_deg <= comparison.difference_deg <= comparison.high_deg
        True
    """
    if first.true_deg.shape != second.true_deg.shape or not np.array_equal(first.true_deg, second.true_deg):
        raise InputError(f"{first.data} and {second.data}: expected reports about the same faces")
    before, after = (
        angle_errors(report.predicted_deg, report.true_deg).mean(axis=1) for report in (first, second)
    )
    difference = after - before
    rows = np.random.default_rng(seed).integers(len(difference), size=(NUM_RESAMPLES, len(difference)))
    tail = 50 * (1 - CONFIDENCE_LEVEL)
    low, high = np.percentile(difference[rows].mean(axis=1), (tail, 100 - tail))
    return Comparison(float(difference.mean()), float(low), float(high))


def draw_comparison(
    first: EvaluationReport, second: EvaluationReport, dataset: FaceDataset, output_dir: Path
) -> None:
    """Draw the true poses and both networks' next to each other.

    `comparison.png` shows the faces on which the networks differ most, `comparison.mp4` up to 120 faces.

    Args:
        first, second: Reports of the same dataset.
        dataset: The faces.
        output_dir: Receives the files.
    """
    rows = dataset.rows_within(first.max_angle_deg)
    apart = np.abs(first.predicted_deg - second.predicted_deg).mean(axis=1)
    most = np.argsort(-apart, kind="stable")[:NUM_PICTURED]
    tiles = [_draw_triple(first, second, dataset.images[rows[i]], i) for i in most]
    tiles += [np.full_like(tiles[0], 40)] * (len(tiles) % 2)
    sheet = np.vstack([np.hstack(tiles[i : i + 2]) for i in range(0, len(tiles), 2)])
    write_image(output_dir / "comparison.png", sheet)
    video = output_dir / "comparison.mp4"
    shown = np.linspace(0, len(rows) - 1, min(len(rows), MAX_VIDEO_FACES)).round().astype(int)
    with VideoSink(video, VIDEO_RATE) as writer:
        for i in shown:
            writer.write(_draw_triple(first, second, dataset.images[rows[i]], i))


def _draw_triple(first: EvaluationReport, second: EvaluationReport, crop: np.ndarray, row: int) -> np.ndarray:
    """Draw one face three times: with the true axes, and with those of both networks."""
    columns = []
    for title, pose in (
        ("true", first.true_deg[row]),
        (_title(first), first.predicted_deg[row]),
        (_title(second), second.predicted_deg[row]),
    ):
        face = cv2.resize(crop, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
        draw_axes(face, pose, (TILE / 2, TILE / 2), TILE * 0.4)
        column = np.pad(face, ((0, CAPTION), (0, 0), (0, 0)), constant_values=40)
        write_text(column, title, (4, TILE + 17))
        write_text(column, format_angles(pose), (4, TILE + 36))
        columns.append(column)
    return np.hstack(columns)


def _title(report: EvaluationReport) -> str:
    names = [Path(source).stem for source in report.networks]
    return names[0] if len(names) == 1 else f"mean of {len(names)}"
