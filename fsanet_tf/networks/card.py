"""Model cards: what a network says about itself, next to its file, in its folder, or inside a `.tflite`."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import LANDMARK_CROP, CropRule

METADATA_NAME = b"fsanet_tf.card"  # of a .tflite file's metadata


def card_path(path: Path) -> Path:
    """Return where the card of a network is: `net.json` for `net.keras`, inside the folder for SavedModel."""
    return path / "assets.extra" / "card.json" if path.is_dir() else path.with_suffix(".json")


def read_card(path: Path) -> dict[str, Any]:
    """Read the card of a network; empty if it has none.

    Raises:
        InputError: If the card is damaged.
    """
    card = card_path(path)
    try:
        if card.exists():
            content = json.loads(card.read_text())
        elif path.suffix == ".tflite":
            content = embedded_card(path.read_bytes())
        else:
            return {}
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{card}: expected the card of a network, could not read it ({error})") from error
    return content


def read_crop_rule(path: Path) -> CropRule:
    """Return the crop that a network expects; the original's if its card does not say.

    Raises:
        InputError: If the card is damaged.
    """
    card = read_card(path)
    known = {key: card[key] for key in ("margin_ratio", "square") if card.get(key) is not None}
    try:
        return dataclasses.replace(LANDMARK_CROP, **known)
    except InputError as error:
        raise InputError(f"{path}: its card is damaged: {error}") from error


def embed_card(content: bytes, card: dict[str, Any]) -> bytes:
    """Return a `.tflite` file's content with the card added to its metadata."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = json.dumps(card).encode()
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def embedded_card(content: bytes) -> dict[str, Any]:
    """Return the card in a `.tflite` file's metadata; empty if there is none."""
    model = schema.Model.GetRootAs(content, 0)
    for i in range(model.MetadataLength()):
        if model.Metadata(i).Name() == METADATA_NAME:
            return json.loads(model.Buffers(model.Metadata(i).Buffer()).DataAsNumpy().tobytes())
    return {}
