"""The table of docs/runtimes.md, cell by cell; OpenVINO with every variant; the documents' C++ program."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import ai_edge_litert
import cv2
import numpy as np
import openvino
import pytest
from ai_edge_litert.interpreter import Interpreter

from fsanet_tf.export.config import FORMATS, ExportConfig
from fsanet_tf.export.export import export_model
from fsanet_tf.export.formats import export_int8, export_onnx, export_tflite
from fsanet_tf.models.build import build_model
from fsanet_tf.models.config import list_variants
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.networks.network import load_network
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
        export_model(ExportConfig(("var",), str(folder / batch), names, batch=batch, latency_rounds=0))
    return folder


def run_litert(path: Path, crops: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(str(path))
    (image,), (pose,) = interpreter.get_input_details(), interpreter.get_output_details()
    if image["shape_signature"][0] == -1:
        interpreter.resize_tensor_input(image["index"], crops.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(image["index"], crops)
    interpreter.invoke()
    return interpreter.get_tensor(pose["index"])


def run_openvino(path: Path, crops: np.ndarray) -> np.ndarray:
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return next(values for values in compiled(crops).values() if values.ndim == 2)


def run_opencv(path: Path, crops: np.ndarray) -> np.ndarray:
    network = cv2.dnn.readNet(str(path))
    network.setInput(crops)
    return network.forward()


RUN: dict[str, Callable[[Path, np.ndarray], np.ndarray]] = {
    "TensorFlow": lambda path, crops: load_network(path).predict(crops),
    "ONNX Runtime": lambda path, crops: load_network(path).predict(crops),
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
    path = exported / ("dynamic" if options else "1") / (NAME + FORMATS[name].suffix)
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
@pytest.mark.parametrize("variant", list_variants())
def test_openvino_reads_the_onnx_of_every_variant(variant, faces, tmp_path):
    model = build_model(variant)
    for network in [layer for layer in model.layers if hasattr(layer, "architecture")] or [model]:
        set_weights(network)
    export_onnx(model, tmp_path / "net.onnx", {})
    poses = run_openvino(tmp_path / "net.onnx", faces)
    np.testing.assert_allclose(poses, answer(model, faces), atol=1e-3)


@pytest.mark.slow
def test_the_cpp_program_gives_pythons_poses(faces, tmp_path):
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler on this machine")
    (code,) = re.findall(r"```cpp\n(.*?)```", (ROOT / "docs/mobile.md").read_text(), re.DOTALL)
    (tmp_path / "pose.cc").write_text(code)
    libraries = Path(ai_edge_litert.__file__).parent
    options = [f"-L{libraries}", "-lLiteRt", f"-Wl,-rpath,{libraries}"]
    subprocess.run(
        [compiler, "-Wall", "-Werror", "pose.cc", "-o", "pose", *options], cwd=tmp_path, check=True
    )
    model = load_model("var")
    for precision in ("float32", "float16", "dynamic"):
        export_tflite(model, tmp_path / f"{precision}.tflite", precision, {})
    export_int8(model, tmp_path / "int8.tflite", faces, {})
    faces[0].tofile(tmp_path / "face.bin")
    for precision in ("float32", "float16", "dynamic", "int8"):
        path = tmp_path / f"{precision}.tflite"
        result = subprocess.run(
            ["./pose", path.name, "face.bin"], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        poses = np.array(result.stdout.split(), np.float32)
        np.testing.assert_allclose(poses, run_litert(path, faces[:1])[0], atol=1e-4)
