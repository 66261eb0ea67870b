"""Cards: what a network says of itself, beside its file, in its folder, or inside a `.tflite` file."""

import dataclasses
import json
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from fsanet_tf.crop import LANDMARK_CROP, CropRule
from fsanet_tf.errors import InputError

CARD = b"fsanet_tf.card"


def card_path(path: Path) -> Path:
    """Where the card of a network stands: `net.keras` has `net.json`, a SavedModel has it inside."""
    return path / "assets.extra" / "card.json" if path.is_dir() else path.with_suffix(".json")


def read_card(path: Path) -> dict:
    """The card of a network: what stands beside it, or inside a `.tflite` file; empty where there is none."""
    card = card_path(path)
    try:
        if card.exists():
            content = json.loads(card.read_text())
        elif path.suffix == ".tflite":
            content = embedded_card(path.read_bytes())
        else:
            return {}
        if not isinstance(content, dict):
            raise ValueError("no JSON object")
    except ValueError as error:
        raise InputError(f"{card}: expected the card of a network, could not read it ({error})") from error
    return content


def read_crop_rule(path: Path) -> CropRule:
    """How a network wants its crops; the original's way where its card does not say."""
    card = read_card(path)
    known = {key: card[key] for key in ("margin_ratio", "square") if card.get(key) is not None}
    try:
        return dataclasses.replace(LANDMARK_CROP, **known)
    except InputError as error:
        raise InputError(f"{path}: its card is damaged: {error}") from error


def embed_card(content: bytes, card: dict) -> bytes:
    """The file with the card among its metadata."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    buffer, entry = schema.BufferT(), schema.MetadataT()
    buffer.data = json.dumps(card).encode()
    entry.name, entry.buffer = CARD, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), entry]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def embedded_card(content: bytes) -> dict:
    """The card inside the file; empty where there is none."""
    model = schema.Model.GetRootAs(content, 0)
    for i in range(model.MetadataLength()):
        if model.Metadata(i).Name() == CARD:
            return json.loads(model.Buffers(model.Metadata(i).Buffer()).DataAsNumpy().tobytes())
    return {}
