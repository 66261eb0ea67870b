"""The code of docs/mobile.md and docs/serving.md, run as written, gives the package's crops and poses."""

import contextlib
import csv
import functools
import io
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import ai_edge_litert
import cv2
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from fsanet_tf.detection.detectors import DETECTORS, list_detectors
from fsanet_tf.export.tflite_metadata import embed_metadata
from fsanet_tf.geometry.crop import CropRule, crop_face, face_window
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.card import POSE, NetworkCard
from fsanet_tf.networks.network import load_network
from fsanet_tf.networks.pretrained import network_files
from fsanet_tf.prediction.pose_tracker import FollowingConfig
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


def test_mobile_damps_moves_as_the_tracker_does():
    text, following = (ROOT / "docs/mobile.md").read_text(), FollowingConfig()
    for size, full in (("hypot(x, y)", following.full_offset), ("abs(growth)", following.full_growth)):
        assert f"min(max({size} / {full}, {following.min_gain}), 1)" in text
    for size, full in (
        ("hypot(offset[0], offset[1])", following.full_offset),
        ("abs(offset[2])", following.full_growth),
    ):
        assert f"({size} / {full}f).coerceIn({following.min_gain}f, 1f)" in text


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_twin_of_mobile_crops_and_predicts_as_the_package(rule, twin, tmp_path):
    path = tmp_path / "net.tflite"
    path.write_bytes(embed_metadata(network_files("1x1")[0].read_bytes(), NetworkCard(64, rule)))
    network = load_network(path)
    assert network.card.crop == rule
    for box in BOXES[:7]:
        expected = crop_face(FRAME, box, rule)
        np.testing.assert_allclose(
            twin["crop_face"](FRAME, box, twin["read_card"](path)["crop"]), expected, atol=0.01
        )
        pose = twin["head_pose"](str(path), FRAME, box)
        np.testing.assert_allclose(pose, network.predict(expected[None])[POSE][0], atol=0.01)


@pytest.fixture(scope="module")
def pose_program(tmp_path_factory) -> Path:
    """The C++ program of mobile.md, compiled."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler on this machine")
    folder = tmp_path_factory.mktemp("cpp")
    (code,) = code_of("mobile.md", "cpp")
    (folder / "pose.cc").write_text(code)
    libraries = Path(ai_edge_litert.__file__).parent
    options = [f"-L{libraries}", "-lLiteRt", f"-Wl,-rpath,{libraries}"]
    subprocess.run([compiler, "-Wall", "-Werror", "pose.cc", "-o", "pose", *options], cwd=folder, check=True)
    return folder / "pose"


def test_the_cpp_program_refuses_what_is_no_face_or_no_network_for_one(pose_program, tmp_path):
    face, several = np.zeros((64, 64, 3), np.float32), network_files("var")[0]
    face.tofile(tmp_path / "face.bin")
    face.astype(np.float64).tofile(tmp_path / "float64.bin")
    face.astype(np.uint8).tofile(tmp_path / "uint8.bin")
    for arguments, message in (
        ([], "usage: pose network.tflite face.bin"),
        ([several], "usage: "),
        ([several, "absent.bin"], "face.bin: expected 64 x 64 x 3 float32"),
        ([several, "float64.bin"], "face.bin: expected 64 x 64 x 3 float32"),
        ([several, "uint8.bin"], "face.bin: expected 64 x 64 x 3 float32"),
        ([several, "face.bin"], "expected a network of one face of 64 x 64 x 3 per call"),
        (["face.bin", "face.bin"], "LiteRT could not run the network"),
        (["absent.tflite", "face.bin"], "LiteRT could not run the network"),
    ):
        run = subprocess.run([pose_program, *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 1 and run.stdout == "" and message in run.stderr, run


@pytest.mark.slow
def test_the_cpp_program_prints_every_output(pose_program, tmp_path):
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
            [pose_program, path.name, "face.bin"], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        printed = {line.split()[0]: np.array(line.split()[1:], float) for line in run.stdout.splitlines()}
        outputs = load_network(path).predict(crop[None])
        assert printed.keys() == outputs.keys()
        for name, values in outputs.items():
            np.testing.assert_allclose(printed[name], values.ravel(), atol=1e-3)


@pytest.fixture(scope="module")
def served(reference, tmp_path_factory):
    """A folder with what the clients of serving.md need: their networks and the detector."""
    folder = tmp_path_factory.mktemp("served")
    result = run_fsanet(*shlex.split(code_of("serving.md", "bash")[0])[1:], cwd=folder)
    assert result.returncode == 0, result.stderr
    shutil.copy(reference / "detectors/face_detection_yunet_2026may.onnx", folder)
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(folder):
        patch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
        patch.setattr(tf.saved_model, "load", functools.cache(tf.saved_model.load))
        yield folder


def predicted(detector: str) -> list[dict[str, str]]:
    """The table of `fsanet predict photo.jpg`."""
    result = run_fsanet("predict", "photo.jpg", "--nodraw", "--csv=poses.csv", f"--detector={detector}")
    assert result.returncode == 0, result.stderr
    with open("poses.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def require_angles_of_predict(detector: str, rows: list[dict[str, str]]) -> None:
    """Run both clients of the page on `photo.jpg`: with the detector, and with the boxes of the table."""
    boxes, saved_model, _, onnx = code_of("serving.md", "python")
    scope: dict = {}
    exec(boxes, scope)
    if detector != "yunet":
        detect = DETECTORS[detector].make()
        scope["face_boxes"] = lambda photo: scope["from_detector"](
            [face.box for face in detect(photo)], scope["SHARES"][detector]
        )
    of_table = [[float(row[edge]) for edge in ("left", "top", "right", "bottom")] for row in rows]
    table = {"face_boxes": lambda photo: np.array(of_table, np.float32).reshape(-1, 4)}
    for code in (saved_model, onnx):
        for found in (scope, {**scope, **table}):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(code, found)
            poses = found["pose"] if code is onnx else found["outputs"]["pose"].numpy()
            assert poses.shape[1:] == (3,) and len(poses) >= len(rows)
            for row in rows:
                pose = [float(row[angle]) for angle in ("yaw", "pitch", "roll")]
                assert np.abs(poses - pose).max(axis=1).min() < 0.01


def photo_of(image: np.ndarray, orientation: int | None = None) -> None:
    exif = PIL.Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    PIL.Image.fromarray(np.ascontiguousarray(image[..., ::-1])).save("photo.jpg", exif=exif, quality=95)


def test_the_clients_are_short():
    boxes, saved_model, _, onnx = code_of("serving.md", "python")
    for code in (boxes, saved_model, onnx):
        assert len([line for line in code.splitlines() if line]) <= 20


@pytest.mark.slow
@pytest.mark.parametrize("detector", list_detectors())
def test_the_clients_of_serving_reach_the_angles_of_predict(detector, served, reference):
    """A face in the middle, one at the edge, whose box is clipped, and several."""
    astronaut = read_image("astronaut")
    crowd = cv2.resize(
        read_image(reference / "media/bald_guys.jpg"), (640, 427), interpolation=cv2.INTER_AREA
    )
    counts, clipped = [], False
    for image in (astronaut, astronaut[100:300, 120:330], crowd[10:, 60:]):
        photo_of(image)
        rows = predicted(detector)
        require_angles_of_predict(detector, rows)
        counts.append(len(rows))
        for row in rows:
            box = tuple(float(row[edge]) for edge in ("left", "top", "right", "bottom"))
            left, top, right, bottom = face_window(box, CropRule(0.29, square=True))
            clipped |= min(left, top, image.shape[1] - right, image.shape[0] - bottom) < -1
    assert counts[0] == 1 and counts[2] > 1 and clipped, (counts, clipped)


@pytest.mark.slow
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_clients_of_serving_turn_files_as_predict_does(orientation, served):
    image = read_image("astronaut")[:, :400]
    if orientation > 4:
        image = image.transpose(1, 0, 2)
    image = image[:: -1 if orientation in (3, 4, 7, 8) else 1, :: -1 if orientation in (2, 3, 6, 7) else 1]
    photo_of(image, orientation)
    rows = predicted("yunet")
    assert len(rows) == 1 and float(rows[0]["score"]) > 0.8
    require_angles_of_predict("yunet", rows)


@pytest.mark.slow
def test_the_clients_of_serving_answer_a_photo_without_faces(served):
    photo_of(np.full((300, 200, 3), 90, np.uint8))
    assert predicted("yunet") == []
    require_angles_of_predict("yunet", [])
