"""The table of docs/runtimes.md, cell by cell; OpenVINO with every variant."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import openvino
import pytest
from ai_edge_litert.interpreter import Interpreter

from fsanet_tf.export.config import FORMATS, ExportConfig
from fsanet_tf.export.export import export_model
from fsanet_tf.export.formats import export_onnx
from fsanet_tf.models.build import build_model
from fsanet_tf.models.config import list_variants
from fsanet_tf.networks.card import NetworkCard
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.networks.network import load_network
from fsanet_tf.networks.pretrained import DEFAULT
from tests.conftest import ROOT
from tests.golden.make import FACES, answer
from tests.golden.seeded import set_weights

NAME = "fsanet_var_capsule"
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in (ROOT / "docs/runtimes.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| runtime") and "not run" not in line
]


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return np.load(FACES)["images"].astype(np.float32)


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    """`var` in every format of the table, in a folder per kind of batch."""
    folder = tmp_path_factory.mktemp("runtimes")
    for batch, names in (
        ("1", ("saved_model", "frozen_graph", "onnx", "tflite_float32", "tflite_float16")),
        ("dynamic", ("tflite_float32", "tflite_float16")),
    ):
        export_model(ExportConfig("var", str(folder / batch), names, batch=batch))
    return folder


def run_litert(path: Path, crops: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(str(path))
    image = interpreter.get_input_details()[0]
    if image["shape_signature"][0] == -1:
        interpreter.resize_tensor_input(image["index"], crops.shape)
    return interpreter.get_signature_runner()(image=crops)["pose"]


def run_openvino(path: Path, crops: np.ndarray) -> np.ndarray:
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answers = {name: values for output, values in compiled(crops).items() for name in output.get_names()}
    return answers["pose"] if "pose" in answers else next(v for v in answers.values() if v.ndim == 2)


def run_opencv(path: Path, crops: np.ndarray) -> np.ndarray:
    network = cv2.dnn.readNet(str(path))
    network.setInput(crops)
    return network.forward()


RUN: dict[str, Callable[[Path, np.ndarray], np.ndarray]] = {
    "TensorFlow": lambda path, crops: load_network(path).predict(crops)["pose"],
    "ONNX Runtime": lambda path, crops: load_network(path).predict(crops)["pose"],
    "OpenVINO": run_openvino,
    "LiteRT (Python)": run_litert,
    "OpenCV `dnn`": run_opencv,
}
REFUSALS = (ValueError, RuntimeError, cv2.error)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_the_table_of_runtimes_is_true(row, exported, faces):
    runtime, file, *cells = row
    name, *options = file.split()
    path = exported / ("dynamic" if options else "1") / (NAME + FORMATS[name])
    expected = answer(load_model("var"), faces)
    tolerance = 0.3 if name == "tflite_float16" else 1e-3
    for count, cell in zip((1, len(faces)), cells, strict=True):
        if cell == "no":
            with pytest.raises(REFUSALS):
                RUN[runtime](path, faces[:count])
            continue
        assert cell == "yes"
        np.testing.assert_allclose(RUN[runtime](path, faces[:count]), expected[:count], atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("variant", [name for name in list_variants() if "strided" not in name])
def test_openvino_reads_the_onnx_of_every_variant(variant, faces, tmp_path):
    model = build_model(variant)
    for network in [layer for layer in model.layers if hasattr(layer, "architecture")] or [model]:
        set_weights(network)
    assert_openvino_agrees(model, faces, tmp_path)


@pytest.mark.slow
def test_openvino_reads_the_onnx_of_the_default_network(faces, tmp_path):
    assert_openvino_agrees(load_model(DEFAULT), faces, tmp_path)


def assert_openvino_agrees(model, faces, tmp_path):
    export_onnx(model, tmp_path / "net.onnx", NetworkCard(64))
    poses = run_openvino(tmp_path / "net.onnx", faces)
    np.testing.assert_allclose(poses, answer(model, faces), atol=1e-3)
