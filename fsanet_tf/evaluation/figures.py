"""Figures of an evaluation."""

from pathlib import Path

import cv2
import numpy as np

from fsanet_tf.data.dataset import FaceDataset
from fsanet_tf.drawing.poses import draw_axes, format_angles, write_text
from fsanet_tf.geometry.pose import angle_errors
from fsanet_tf.io.images import write_image

NUM_WORST = 24
TILE = 160


def draw_report(dataset: FaceDataset, rows: np.ndarray, predicted_deg: np.ndarray, output_dir: Path) -> None:
    """Draw error against yaw, the cumulative error and the worst faces of an evaluation.

    Args:
        dataset: The faces.
        rows: Indices of the evaluated faces, `(N,)`.
        predicted_deg: Their predicted poses, `(N, 3)`.
        output_dir: Receives `error_against_yaw.png`, `cumulative_error.png` and `worst_faces.png`.
    """
    from fsanet_tf.drawing.plots import draw_cumulative_error, draw_error_against_yaw

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
    write_image(output_dir / "worst_faces.png", sheet)


def _worst_tile(crop: np.ndarray, predicted_deg: np.ndarray, true_deg: np.ndarray, name: str) -> np.ndarray:
    """Draw a face twice, with predicted axes on the left and true ones on the right."""
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
