"""What writes each export format, as the table of formats names it."""

from pathlib import Path

import keras

from fsanet_tf.export.config import ExportRequest
from fsanet_tf.export.formats import (
    export_frozen_graph,
    export_int8,
    export_onnx,
    export_saved_model,
    export_tflite,
)
from fsanet_tf.export.parity import spread
from fsanet_tf.export.quantization import Trial

NUM_REPRESENTATIVE = 200


def write_saved_model(model: keras.Model, path: Path, request: ExportRequest) -> None:
    """Write a SavedModel folder."""
    export_saved_model(model, path, request.card)


def write_frozen_graph(model: keras.Model, path: Path, request: ExportRequest) -> None:
    """Write a frozen graph with the original's names."""
    export_frozen_graph(model, path)


def write_onnx(model: keras.Model, path: Path, request: ExportRequest) -> None:
    """Write an ONNX file with an open batch."""
    export_onnx(model, path, request.card)


def write_tflite_float32(model: keras.Model, path: Path, request: ExportRequest) -> None:
    """Write a TFLite file."""
    _write_tflite(model, path, request, "float32")


def write_tflite_float16(model: keras.Model, path: Path, request: ExportRequest) -> None:
    """Write a TFLite file with weights of 16 bits."""
    _write_tflite(model, path, request, "float16")


def write_tflite_dynamic(model: keras.Model, path: Path, request: ExportRequest) -> None:
    """Write a TFLite file with weights of 8 bits."""
    _write_tflite(model, path, request, "dynamic")


def _write_tflite(model: keras.Model, path: Path, request: ExportRequest, precision: str) -> None:
    batch = 1 if request.config.batch == "1" else None
    export_tflite(model, path, precision, request.card, batch)


def write_tflite_int8(model: keras.Model, path: Path, request: ExportRequest) -> list[Trial]:
    """Write a TFLite file whose convolutions and large dense layers compute in 8 bits."""
    assert request.faces is not None
    crops = spread(request.faces, NUM_REPRESENTATIVE)
    return export_int8(model, path, crops, request.card, request.config.integer_io)
