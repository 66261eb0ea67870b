"""The code of docs/mobile.md and docs/serving.md, run as written, gives the package's crops and poses."""

import contextlib
import csv
import io
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import ai_edge_litert
import numpy as np
import PIL.Image
import pytest

from fsanet_tf.geometry.crop import CropRule, crop_face
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.card import POSE, NetworkCard, embed_in_tflite
from fsanet_tf.networks.network import load_network
from fsanet_tf.networks.pretrained import network_file
from tests.conftest import ROOT, run_fsanet
from tests.export.test_picture_crop import BOXES, FRAME

RULES = [
    CropRule(0.29, square=True),
    CropRule(0.4),
    CropRule(0.29, True, "filtered"),
    CropRule(0.4, False, "filtered"),
]
BOX = (190.0, 80.0, 262.0, 170.0)


def code_of(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def twin() -> dict:
    (code,) = code_of("mobile.md", "python")
    scope: dict = {}
    exec(code, scope)
    return scope


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_twin_of_mobile_crops_and_predicts_as_the_package(rule, twin, tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(embed_in_tflite(network_file("1x1").read_bytes(), NetworkCard(64, rule)))
    network = load_network(path)
    assert network.card.crop == rule
    for box in BOXES[:7]:
        expected = crop_face(FRAME, box, rule)
        np.testing.assert_allclose(
            twin["crop_face"](FRAME, box, twin["read_card"](path)["crop"]), expected, atol=0.01
        )
        pose = twin["head_pose"](str(path), FRAME, box)
        np.testing.assert_allclose(pose, network.predict(expected[None])[POSE][0], atol=0.01)


@pytest.mark.slow
def test_the_cpp_program_prints_every_output(tmp_path):
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler on this machine")
    (code,) = code_of("mobile.md", "cpp")
    (tmp_path / "pose.cc").write_text(code)
    libraries = Path(ai_edge_litert.__file__).parent
    options = [f"-L{libraries}", "-lLiteRt", f"-Wl,-rpath,{libraries}"]
    subprocess.run(
        [compiler, "-Wall", "-Werror", "pose.cc", "-o", "pose", *options], cwd=tmp_path, check=True
    )
    crop = crop_face(read_image("astronaut"), BOX, CropRule(0.29, square=True))
    np.savez(tmp_path / "faces.npz", image=crop[None].astype(np.uint8).repeat(8, 0), pose=np.zeros((8, 3)))
    crop.tofile(tmp_path / "face.bin")
    files = ["tflite_float32", "tflite_float16", "tflite_dynamic"]
    for network, formats in (("var", [*files, "tflite_int8"]), ("fusion", files[:1])):
        data = f"--parity_data={tmp_path / 'faces.npz'}", f"--representative_data={tmp_path / 'faces.npz'}"
        options = [f"--network={network}", f"--formats={','.join(formats)}", *data, "--max_mae_increase=5"]
        result = run_fsanet("export", *options, f"--output_dir={tmp_path}")
        assert result.returncode == 0, result.stderr
    for path in tmp_path.glob("*.tflite"):
        run = subprocess.run(
            ["./pose", path.name, "face.bin"], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        printed = {line.split()[0]: np.array(line.split()[1:], float) for line in run.stdout.splitlines()}
        outputs = load_network(path).predict(crop[None])
        assert printed.keys() == outputs.keys()
        for name, values in outputs.items():
            np.testing.assert_allclose(printed[name], values.ravel(), atol=1e-3)
    absent = subprocess.run(["./pose", path.name, "absent.bin"], cwd=tmp_path, capture_output=True, text=True)
    assert absent.returncode == 1 and absent.stdout == "" and "face.bin: expected" in absent.stderr


@pytest.mark.slow
def test_the_clients_of_serving_reach_the_angles_of_predict(twin, reference, tmp_path, monkeypatch):
    """From the page alone, in a folder that contains a photo and the detector; the photo lies on its side."""
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    with contextlib.chdir(tmp_path):
        shutil.copy(reference / "detectors/face_detection_yunet_2026may.onnx", ".")
        photo = PIL.Image.fromarray(np.ascontiguousarray(read_image("astronaut")[..., ::-1]))
        exif = PIL.Image.Exif()
        exif[0x0112] = 6  # to be turned clockwise
        photo.rotate(90, expand=True).save("photo.jpg", exif=exif, quality=95)
        command = code_of("serving.md", "bash")[0]
        result = run_fsanet(*shlex.split(command)[1:])
        assert result.returncode == 0, result.stderr
        result = run_fsanet(
            "predict", "--source=photo.jpg", "--nodraw", "--csv=poses.csv", "--detector=yunet"
        )
        assert result.returncode == 0, result.stderr
        with open("poses.csv", encoding="utf-8") as file:
            (row,) = csv.DictReader(file)
        expected = [[float(row[angle]) for angle in ("yaw", "pitch", "roll")]]
        boxes, saved_model, _, onnx = code_of("serving.md", "python")
        for code in (saved_model, onnx):
            scope = {"crop_face": twin["crop_face"]}
            exec(boxes, scope)
            with contextlib.redirect_stdout(io.StringIO()):
                exec(code, scope)
            pose = scope["pose"] if "pose" in scope else scope["outputs"]["pose"].numpy()
            np.testing.assert_allclose(pose, expected, atol=0.01)
