"""What each row of the fine-grained structure mapping looks at: `python demo/heatmap.py --source=photo.jpg`.

For every face, the rows of M_k folded back onto the face, as in the paper's figure 5: one line a stage
k, one column a row of M_k. A pixel of the deepest feature map is an eighth of the crop's side. The noS
variant has no such mapping.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from absl import flags

from demo.sources import ASTRONAUT, photo_paths, read_photo
from fsanet_tf.command_line import run
from fsanet_tf.detectors import DETECTORS, make_detector
from fsanet_tf.drawing import write_text
from fsanet_tf.errors import InputError
from fsanet_tf.pictures import write_picture
from fsanet_tf.predictor import PosePredictor
from fsanet_tf.quiet import import_tensorflow_quietly

if TYPE_CHECKING:
    import keras

TILE, GAP = 128, 4
OPACITY = 0.55


def structure_model(model: keras.Model) -> keras.Model:
    """From crops to the mappings M_k of every stage, `(N, K, rows, P)` in (0, 1).

    Raises:
        InputError: the network has no fine-grained structure mapping.
    """
    import keras

    from fsanet_tf.layers import FineGrainedStructureMapping

    layers = [layer for layer in model.layers if isinstance(layer, FineGrainedStructureMapping)]
    if not layers:
        raise InputError(f"{model.name}: has no fine-grained structure mapping; take a 1x1 or var network")
    attention = model.get_layer("attention_maps").output
    return keras.Model(model.inputs, layers[0].stage_mappings(attention))


def fold(mappings: np.ndarray, num_stages: int) -> np.ndarray:
    """Rows of M_k `(K, rows, P)` as maps `(K, rows, side, side)` in [0, 1].

    P runs over the pixels of all stages; a place's value is the mean over the stages. Each map is
    stretched to its own range, as the paper's are.
    """
    num_rows, num_pixels = mappings.shape[1:]
    side = round((num_pixels / num_stages) ** 0.5)
    maps = mappings.reshape(-1, num_rows, num_stages, side, side).mean(axis=2)
    low, high = (bound(maps, axis=(-2, -1), keepdims=True) for bound in (np.min, np.max))
    return (maps - low) / np.maximum(high - low, 1e-9)


def draw_heatmaps(crop: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """A sheet: the face on the left, one line a stage, one column a row of M_k.

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
            colours = cv2.applyColorMap(large, cv2.COLORMAP_JET)
            tiles.append(cv2.addWeighted(face, 1 - OPACITY, colours, OPACITY, 0))
        tiles = [np.pad(tile, ((GAP, GAP), (GAP, GAP), (0, 0)), constant_values=255) for tile in tiles]
        lines.append(np.hstack(tiles))
    return np.vstack(lines)


def main() -> None:
    given = flags.FLAGS
    photos = photo_paths(given.source)
    if photos is None or len(photos) != 1:
        raise InputError(f"{given.source}: expected one photo")
    image = read_photo(photos[0])
    detect = make_detector(given.detector)
    import_tensorflow_quietly()
    from fsanet_tf.weights.keras_files import load_model

    mappings_of = structure_model(load_model(given.model))
    _, crops = PosePredictor(given.model).crop(image, detect(image))
    if not len(crops):
        raise InputError(f"{given.source}: no face found")
    mappings = np.asarray(mappings_of.predict(crops, verbose=0))
    sheets = [
        draw_heatmaps(crop.astype(np.uint8), fold(rows, len(rows)))
        for crop, rows in zip(crops, mappings, strict=True)
    ]
    output = Path(given.output or f"{photos[0].stem}_heatmap.png")
    write_picture(output, np.vstack(sheets))
    print(f"drawn: {output}")


if __name__ == "__main__":
    flags.DEFINE_string("source", ASTRONAUT, "A photo.")
    flags.DEFINE_string("model", "var", "A 1x1 or var network: .keras, .h5, or the shipped 1x1 or var.")
    flags.DEFINE_enum("detector", "auto", ("auto", *DETECTORS), "Face detector.")
    flags.DEFINE_string("output", None, "Picture to write; default: SOURCE_heatmap.png beside you.")
    run(main)
