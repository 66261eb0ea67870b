"""Figures of an evaluation."""

from pathlib import Path

import cv2
import numpy as np

from fsanet_tf.drawing.plots import draw_cumulative_error, draw_error_against_yaw
from fsanet_tf.drawing.poses import draw_axes, text_width, write_text
from fsanet_tf.evaluation.report import EvaluationReport, network_names
from fsanet_tf.geometry.pose import ANGLE_NAMES, angle_errors, geodesic_errors
from fsanet_tf.io.images import write_image

NUM_WORST, NUM_APART = 24, 12
TILE, LINE, GAP = 208, 16, 4
BACKGROUND = 40


def draw_report(report: EvaluationReport, output_dir: Path) -> None:
    """Draw error against yaw, the cumulative error, the worst faces, and where two networks differ most.

    Args:
        report: The report.
        output_dir: Receives `error_against_yaw.png`, `cumulative_error.png`, `worst_faces.png` and, if two
            networks are compared, `comparison.png`.
    """
    angles, geodesic = angle_errors(report.predicted_deg, report.true_deg), report.geodesic_errors_deg[0]
    draw_error_against_yaw(angles, geodesic, report.true_deg[:, 0], output_dir / "error_against_yaw.png")
    draw_cumulative_error(angles, geodesic, output_dir / "cumulative_error.png")
    worst = np.argsort(-geodesic, kind="stable")[:NUM_WORST]
    _draw_sheet(report, worst, 1, output_dir / "worst_faces.png")
    if len(report.predictions_deg) > 1:
        apart = geodesic_errors(*report.predictions_deg)
        most = np.argsort(-apart, kind="stable")[:NUM_APART]
        _draw_sheet(report, most, 2, output_dir / "comparison.png")


def _draw_sheet(report: EvaluationReport, faces: np.ndarray, num_networks: int, path: Path) -> None:
    """Draw faces, each with its true pose and those of one or two networks, in rows of two."""
    places = [(part, row) for part in report.parts for row in part.rows]
    titles = [network_names(names) for names in (report.config.network, report.config.compare_with)]
    tiles = []
    for face in faces:
        part, row = places[face]
        place, name = f"{Path(part.path).name}, row {row}: ", str(part.dataset.names[row])
        true = report.true_deg[face]
        columns = [_draw_pose(part.dataset.images[row], true, "true", "")]
        for title, poses in zip(titles[:num_networks], report.predictions_deg, strict=False):
            error = float(geodesic_errors(poses[face : face + 1], true[None])[0])
            columns.append(_draw_pose(part.dataset.images[row], poses[face], f"error {error:.0f}, ", title))
        tiles.append(_with_name(np.hstack(columns), place, name))
    tiles += [np.full_like(tiles[0], BACKGROUND)] * (len(tiles) % 2)
    write_image(path, np.vstack([np.hstack(tiles[i : i + 2]) for i in range(0, len(tiles), 2)]))


def _draw_pose(crop: np.ndarray, pose_deg: np.ndarray, title: str, name: str) -> np.ndarray:
    """Draw a crop with its axes, a title with a name and the angles below it."""
    face = cv2.resize(crop, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    draw_axes(face, pose_deg, (TILE / 2, TILE / 2), TILE * 0.4)
    column = np.pad(face, ((0, 2 * LINE + GAP), (GAP, GAP), (0, 0)), constant_values=BACKGROUND)
    angles = " ".join(f"{name} {angle:+.0f}" for name, angle in zip(ANGLE_NAMES, pose_deg, strict=True))
    for number, text in enumerate((title + _end_of(name, title, TILE, 9), angles), 1):
        write_text(column, text, (GAP, TILE + number * LINE), 9)
    return column


def _with_name(tile: np.ndarray, place: str, name: str) -> np.ndarray:
    tile = np.pad(tile, ((LINE + GAP, GAP), (0, 0), (0, 0)), constant_values=BACKGROUND)
    write_text(tile, place + _end_of(name, place, tile.shape[1] - 2 * GAP, 11), (GAP, LINE), 11)
    return tile


def _end_of(name: str, before: str, width: int, height: int) -> str:
    """Return a name, or the end of it that fits into a line after another text."""
    shown = name
    for start in range(1, len(name)):
        if text_width(before + shown, height) <= width:
            break
        shown = f"...{name[start:]}"
    return shown
