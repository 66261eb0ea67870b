"""Heatmaps of the fine-grained structure mapping: which pixels each row of M_k attends to.

For every face, the rows of M_k folded back onto the face, as in the paper's figure 5: one line per stage
k, one column per row of M_k. A pixel of the deepest feature map covers an eighth of the crop's side. The
noS variant has no such mapping.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from fsanet_tf.detection.detection import Detector
from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.detection.face_pose import is_face
from fsanet_tf.drawing.poses import write_text
from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.io.images import read_image, write_image
from fsanet_tf.prediction.predictor import PosePredictor

if TYPE_CHECKING:
    import keras

__all__ = ["draw_heatmaps", "structure_heatmaps"]

TILE, GAP = 128, 4
OPACITY = 0.55
SCALE_WIDTH = 40  # of the bar of colors and its numbers


def structure_heatmaps(crops: np.ndarray, network: str | Path = "var") -> np.ndarray:
    """Compute the structure mappings of faces as maps over their crops.

    Args:
        crops: uint8 or float32 BGR `(N, S, S, 3)`, in [0, 255], cut as the network expects.
        network: A 1x1 or var network: `.keras`, released `.h5`, or the shipped `1x1` or `var`.

    Returns:
        float32 `(N, K, rows, side, side)`: for each face, stage k and row of M_k, what the row attends to,
        the mean over the stages' feature maps, in (0, 1).

    Raises:
        InputError: If the network has no structure mapping, or expects crops of another size.
        MissingExtraError: If Keras is not installed.

    Example:
        >>> from fsanet_tf.prediction.heatmap import structure_heatmaps
        >>> structure_heatmaps(np.zeros((2, 64, 64, 3), np.uint8), "1x1").shape
        (2, 3, 5, 8, 8)
    """
    with optional_dependencies():
        from fsanet_tf.networks.keras_files import load_model

        model = structure_model(load_model(network))
    crops, shape = np.asarray(crops, np.float32), model.input_shape[1:]
    if crops.shape[1:] != shape:
        raise InputError(
            f"crops: expected an array (N, {', '.join(map(str, shape))}), received {crops.shape}"
        )
    return fold(np.asarray(model.predict(crops, verbose=0)))


def draw_heatmaps(
    image: str | Path, output: str | Path, network: str | Path = "var", detector: str | Detector = "auto"
) -> int:
    """Draw the structure mappings of the faces of a photo.

    The colors of each map span its own range, as the paper's do; its smallest and largest value are written
    on it.

    Args:
        image: Image file, or `"astronaut"`.
        output: Image file to write: one sheet per face, below each other.
        network: As for `structure_heatmaps`.
        detector: One of `list_detectors()`, `auto`, or a function from a frame to detections.

    Returns:
        The number of faces.

    Raises:
        InputError: If the image cannot be read or shows no face, or the network has no structure mapping.
        MissingExtraError: If Keras is not installed.

    Example:
        >>> from fsanet_tf.prediction.heatmap import draw_heatmaps
        >>> draw_heatmaps("photo.jpg", "heatmap.png", detector="haar")
        1
    """
    frame = read_image(image)
    boxes = [face.box for face in make_detector(detector)(frame) if is_face(face.score)]
    _, crops = PosePredictor(network).crop(frame, boxes)
    if not len(crops):
        raise InputError(f"{image}: no face found")
    sheets = [
        draw_sheet(crop.astype(np.uint8), maps)
        for crop, maps in zip(crops, structure_heatmaps(crops, network), strict=True)
    ]
    write_image(output, np.vstack(sheets))
    return len(sheets)


def structure_model(model: keras.Model) -> keras.Model:
    """Build a model from crops to the mappings M_k of every stage, `(N, K, rows, P)` in (0, 1).

    Raises:
        InputError: If the network has no fine-grained structure mapping.
    """
    import keras

    from fsanet_tf.layers import FineGrainedStructureMapping

    layers = [layer for layer in model.layers if isinstance(layer, FineGrainedStructureMapping)]
    if not layers:
        raise InputError(
            f"{model.name}: expected one network with a fine-grained structure mapping, such as var"
        )
    attention = model.get_layer("attention_maps").output
    return keras.Model(model.inputs, layers[0].stage_mappings(attention))


def fold(mappings: np.ndarray) -> np.ndarray:
    """Fold the rows of M_k `(N, K, rows, P)` into maps `(N, K, rows, side, side)`.

    P covers the pixels of all K stages; the value at a position is the mean over the stages.
    """
    num_stages, num_rows, num_pixels = mappings.shape[1:]
    side = round((num_pixels / num_stages) ** 0.5)
    maps: np.ndarray = mappings.reshape(-1, num_stages, num_rows, num_stages, side, side).mean(axis=3)
    return maps


def draw_sheet(crop: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Draw one face: the crop on the left, one line per stage, one column per row of M_k, the scale.

    Args:
        crop: uint8 BGR `(S, S, 3)`.
        maps: `(K, rows, side, side)`.
    """
    face = cv2.resize(crop, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    lines = []
    for stage, rows in enumerate(maps, 1):
        tiles = [face.copy()]
        write_text(tiles[0], f"stage {stage}", (4, TILE - 6))
        for heat in rows:
            low, high = float(heat.min()), float(heat.max())
            shown = 255 * (heat - low) / max(high - low, 1e-9)
            large = cv2.resize(shown.astype(np.uint8), (TILE, TILE), interpolation=cv2.INTER_LINEAR)
            tiles.append(cv2.addWeighted(face, 1 - OPACITY, _colors(large), OPACITY, 0))
            write_text(tiles[-1], f"{low:.2f} to {high:.2f}", (4, TILE - 6))
        tiles.append(_draw_scale())
        tiles = [np.pad(tile, ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=255) for tile in tiles]
        lines.append(np.hstack(tiles))
    return np.vstack(lines)


def _draw_scale() -> np.ndarray:
    """Draw the bar of colors from the smallest to the largest value of a map."""
    ramp = np.linspace(255, 0, TILE).astype(np.uint8)[:, None]
    scale = _colors(np.repeat(ramp, SCALE_WIDTH, axis=1))
    write_text(scale, "max", (2, 14))
    write_text(scale, "min", (2, TILE - 6))
    return scale


def _colors(values: np.ndarray) -> np.ndarray:
    """Map uint8 `(height, width)` to colors, BGR `(height, width, 3)`."""
    return cv2.applyColorMap(values, cv2.COLORMAP_JET)
