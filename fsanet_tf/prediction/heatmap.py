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

from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.drawing.poses import write_text
from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.io.images import read_image, write_image
from fsanet_tf.prediction.predictor import PosePredictor

if TYPE_CHECKING:
    import keras

__all__ = ["draw_heatmaps"]

TILE, GAP = 128, 4
OPACITY = 0.55


def draw_heatmaps(image: str | Path, output: str | Path, network: str = "var", detector: str = "auto") -> int:
    """Draw the structure mappings of the faces of a photo.

    Args:
        image: Image file, or `"astronaut"`.
        output: Image file to write: one sheet per face, below each other.
        network: A 1x1 or var network: `.keras`, released `.h5`, or the shipped `1x1` or `var`.
        detector: One of `list_detectors()`, or `auto`.

    Returns:
        The number of faces.

    Raises:
        InputError: If the image cannot be read or shows no face, or the network has no structure mapping.
        MissingExtraError: If Keras is not installed.

    Example:
        >>> fsanet_tf.draw_heatmaps("photo.jpg", "heatmap.png", detector="haar")
        1
    """
    frame = read_image(image)
    with optional_dependencies():
        from fsanet_tf.networks.keras_files import load_model

        model = structure_model(load_model(network))
    _, crops = PosePredictor(network).crop(frame, make_detector(detector)(frame))
    if not len(crops):
        raise InputError(f"{image}: no face found")
    mappings = np.asarray(model.predict(crops, verbose=0))
    sheets = [
        draw_sheet(crop.astype(np.uint8), fold(rows, len(rows)))
        for crop, rows in zip(crops, mappings, strict=True)
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
        raise InputError(f"{model.name}: has no fine-grained structure mapping; use a 1x1 or var network")
    attention = model.get_layer("attention_maps").output
    return keras.Model(model.inputs, layers[0].stage_mappings(attention))


def fold(mappings: np.ndarray, num_stages: int) -> np.ndarray:
    """Fold the rows of M_k `(K, rows, P)` into maps `(K, rows, side, side)` in [0, 1].

    P covers the pixels of all stages; the value at a position is the mean over the stages. Each map is
    normalized to its own range, as the paper's are.
    """
    num_rows, num_pixels = mappings.shape[1:]
    side = round((num_pixels / num_stages) ** 0.5)
    maps = mappings.reshape(-1, num_rows, num_stages, side, side).mean(axis=2)
    low, high = (bound(maps, axis=(-2, -1), keepdims=True) for bound in (np.min, np.max))
    return (maps - low) / np.maximum(high - low, 1e-9)


def draw_sheet(crop: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Draw one face: the crop on the left, one line per stage, one column per row of M_k.

    Args:
        crop: uint8 BGR `(S, S, 3)`.
        maps: `(K, rows, side, side)` in [0, 1].
    """
    face = cv2.resize(crop, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    lines = []
    for stage, rows in enumerate(maps, 1):
        tiles = [face.copy()]
        write_text(tiles[0], f"stage {stage}", (4, TILE - 6))
        for heat in rows:
            large = cv2.resize((255 * heat).astype(np.uint8), (TILE, TILE), interpolation=cv2.INTER_LINEAR)
            colors = cv2.applyColorMap(large, cv2.COLORMAP_JET)
            tiles.append(cv2.addWeighted(face, 1 - OPACITY, colors, OPACITY, 0))
        tiles = [np.pad(tile, ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=255) for tile in tiles]
        lines.append(np.hstack(tiles))
    return np.vstack(lines)
