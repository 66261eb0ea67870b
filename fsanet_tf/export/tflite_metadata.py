"""Metadata of `.tflite` files: the card of the network, and TensorFlow Lite's standard metadata.

The standard metadata (TensorFlow Lite's `metadata_schema.fbs`) name and describe the tensors for tools that
show or wrap models. Its writers are no dependencies: `tflite-support` is no longer released, `mediapipe`
installs a second OpenCV.
"""

from __future__ import annotations

import json
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from fsanet_tf.networks.card import CARD_KEY, NetworkCard

STANDARD_KEY, STANDARD_IDENTIFIER = "TFLITE_METADATA", b"M001"
PIXEL_RANGE = (0.0, 255.0)
FEATURE, IMAGE = 1, 2  # members of the schema's union ContentProperties
NORMALIZATION = 1  # of ProcessUnitOptions


def embed_metadata(content: bytes, card: NetworkCard) -> bytes:
    """Return a `.tflite` file's content with the card and the standard metadata in it.

    Args:
        content: The file, whose outputs its signature names.
        card: The card of the file.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    model.description = card.description().encode()
    entries = {CARD_KEY: json.dumps(card.as_json()).encode(), STANDARD_KEY: standard_metadata(model, card)}
    model.metadata = [old for old in model.metadata or [] if old.name.decode() not in entries]
    for name, data in entries.items():
        buffer, entry = schema.BufferT(), schema.MetadataT()
        buffer.data, entry.name, entry.buffer = data, name.encode(), len(model.buffers)
        model.buffers.append(buffer)
        model.metadata.append(entry)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def standard_metadata(model: schema.ModelT, card: NetworkCard) -> bytes:
    """Return the standard metadata of a network.

    The input is an image of an unknown color space: the schema has no BGR, which the description names.
    """
    graph, names = model.subgraphs[0], {}
    for tensor in model.signatureDefs[0].outputs:
        names[tensor.tensorIndex] = tensor.name.decode()
    _, height, width, _ = (int(side) for side in graph.tensors[graph.inputs[0]].shape)
    size = (np.uint32(width), np.uint32(height))
    content = (np.uint8(IMAGE), (None, size))
    units = stats = None
    if graph.tensors[graph.inputs[0]].type == schema.TensorType.FLOAT32:
        units = [
            (np.uint8(NORMALIZATION), ([0.0], [1.0]))
        ]  # mean and standard deviation: pixels stay as they are
        stats = ([PIXEL_RANGE[1]], [PIXEL_RANGE[0]])
    image = ("image", card.input_description(), None, content, units, stats)
    outputs = [
        (names[index], card.outputs.get(names[index], ""), None, (np.uint8(FEATURE), ()))
        for index in graph.outputs
    ]
    about = card.about
    subgraph = (None, None, [image], outputs)
    fields = (
        about.get("name") or about.get("variant", ""),
        card.description(),
        about.get("version", ""),
        [subgraph],
    )
    builder = flatbuffers.Builder()
    builder.Finish(_write(builder, fields), file_identifier=STANDARD_IDENTIFIER)
    return bytes(builder.Output())


def _write(builder: flatbuffers.Builder, value: Any) -> int:
    """Write a text, a list of numbers or tables, or a table as a tuple of its fields; return its place."""
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, list) and isinstance(value[0], float):
        return builder.CreateNumpyVector(np.array(value, np.float32))
    if isinstance(value, list):
        places = [_write(builder, item) for item in value]
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return builder.EndVector()
    fields = [
        field if field is None or isinstance(field, np.integer) else _write(builder, field) for field in value
    ]
    builder.StartObject(len(fields))
    for slot, field in enumerate(fields):
        if isinstance(field, np.uint8):
            builder.PrependUint8Slot(slot, field, 0)
        elif isinstance(field, np.uint32):
            builder.PrependUint32Slot(slot, field, 0)
        elif field is not None:
            builder.PrependUOffsetTRelativeSlot(slot, field, 0)
    return builder.EndObject()
