"""Exported files, loaded in another process, give the Keras network's poses."""

import dataclasses
import json
import subprocess
import sys
import time

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from fsanet_tf.data.dataset import FaceDataset, load_dataset, save_dataset
from fsanet_tf.detection.detection import Detection
from fsanet_tf.export.formats import export_int8
from fsanet_tf.export.operations import read_operations
from fsanet_tf.export.quantization import CONVOLUTIONS, DENSE, LARGE, ready_for_int8
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.io.files import sha256
from fsanet_tf.io.images import read_image
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import embedded_card, read_card
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.networks.network import load_network
from fsanet_tf.prediction.predictor import PosePredictor
from tests.conftest import ROOT, assert_one_clear_line, run_fsanet, run_process

NAME = "fsanet_var_capsule"
EXACT = tuple(NAME + suffix for suffix in ("_saved_model", ".pb", ".onnx", "_float32.tflite"))
SMALL = {"float16": (0.02, 560), "dynamic": (0.05, 480), "int8": (0.05, 480)}  # degrees of MAE, KiB


@pytest.fixture(scope="module")
def few_faces(aflw2000, tmp_path_factory):
    data = load_dataset(aflw2000)
    few = FaceDataset.from_arrays(data.images[:64], data.poses[:64], data.names[:64], data.crop)
    path = tmp_path_factory.mktemp("few") / "few.npz"
    save_dataset(path, few)
    return path


@pytest.fixture(scope="module")
def exported(released, aflw2000, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    weights = released / "fsanet_var_capsule_3_16_2_21_5.h5"
    data = f"--representative_data={aflw2000}"
    result = run_fsanet(
        "export", f"--weights={weights}", f"--output_dir={folder}", data, "--latency_rounds=0"
    )
    assert result.returncode == 0, result.stderr
    return folder


def test_parity_on_aflw2000(exported):
    report = json.loads((exported / "parity.json").read_text())
    rows = {row["file"]: row for row in report["files"]}
    assert set(rows) == {*EXACT, *(f"{NAME}_{precision}.tflite" for precision in SMALL)}
    for name in EXACT:
        assert rows[name]["max_deg"] < 1e-3
        assert rows[name]["mae_deg"] == pytest.approx(5.351, abs=0.005)
    assert rows[f"{NAME}.onnx"]["bytes"] < 1.1 * rows[f"{NAME}.pb"]["bytes"]  # no second copy of weights
    for precision, (degrees, kib) in SMALL.items():
        row = rows[f"{NAME}_{precision}.tflite"]
        assert abs(row["mae_increase_deg"]) < degrees and row["bytes"] <= kib * 1024
        assert row["worst_face_deg"] < 15 and row["gpu_refused"] == []


def test_int8_holds_every_convolution_and_large_dense_layer(exported):
    operations = read_operations((exported / f"{NAME}_int8.tflite").read_bytes())
    convolutions = [op for op in operations if op.kind in CONVOLUTIONS]
    assert len(convolutions) == 32 and {op.output_type for op in convolutions} == {"INT8"}
    large = [op for op in operations if op.kind in DENSE and op.num_weights >= LARGE]
    assert len(large) == 3  # two structure mappings and the capsules' transformation
    assert {op.weight_type for op in large} == {"INT8"}
    floats = {op.kind for op in operations if op.output_type == "FLOAT32"}
    assert {"DIV", "RSQRT", "SOFTMAX", "SQUARED_DIFFERENCE"} <= floats


def test_cards_are_beside_and_inside(exported, released):
    for name in (*EXACT, *(f"{NAME}_{precision}.tflite" for precision in SMALL)):
        card = read_card(exported / name)
        assert card["training"] == {"data": ["300W_LP"]} and card["margin_ratio"] == 0.6
        assert card["source_sha256"] == {
            "fsanet_var_capsule_3_16_2_21_5.h5": sha256(released / "fsanet_var_capsule_3_16_2_21_5.h5")
        }
    assert embedded_card((exported / f"{NAME}_int8.tflite").read_bytes()) == card


@pytest.mark.parametrize("name", [*EXACT, f"{NAME}_int8.tflite"])
def test_predictor_takes_every_format(exported, aflw2000, name):
    crop = load_dataset(aflw2000).images[0]
    frame = np.pad(crop, ((0, 1), (0, 1), (0, 0)))  # a box ends one pixel before the frame
    predictor = PosePredictor(exported / name, margin_ratio=0.0)
    (face,) = predictor.predict(frame, [Detection((0, 0, 64, 64), 1.0)])
    expected = load_network(exported / EXACT[0]).predict(crop[None].astype(np.float32))[0]
    np.testing.assert_allclose(face.pose_deg, expected, atol=1e-3 if name in EXACT else 3)


def test_mobile_twin(exported, aflw2000):
    text = (ROOT / "docs/mobile.md").read_text()
    scope: dict = {}
    exec(text.split("```python")[1].split("```")[0], scope)
    frame = cv2.resize(load_dataset(aflw2000).images[0], (300, 200))
    path, box = exported / f"{NAME}_float32.tflite", (90, 60, 170, 150)
    for square in (False, True):
        network = dataclasses.replace(load_network(path), crop=CropRule(0.4, square))
        (face,) = PosePredictor(network).predict(frame, [Detection(box, 1.0)])
        pose = scope["head_pose"](str(path), frame, box, 0.4, square)
        np.testing.assert_allclose(pose, face.pose_deg, atol=1e-4)


def test_warmup_requests_are_answered(exported):
    folder = exported / f"{NAME}_saved_model"
    signatures = tf.saved_model.load(str(folder)).signatures
    names = []
    for record in tf.data.TFRecordDataset(str(folder / "assets.extra/tf_serving_warmup_requests")):
        request = PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        poses = signatures[request.model_spec.signature_name](**inputs)["pose"]
        names.append((request.model_spec.signature_name, len(poses)))
    assert sorted(names) == [(name, n) for name in sorted(signatures) for n in (1, 8)]


def test_a_poisoned_representative_set_is_refused(released, few_faces, tmp_path):
    data = load_dataset(few_faces)
    black = dataclasses.replace(data, images=np.zeros_like(data.images))
    save_dataset(tmp_path / "black.npz", black)
    result = run_fsanet(
        "export",
        f"--weights={released / 'fsanet_capsule_3_16_2_21_5.h5'}",
        f"--output_dir={tmp_path / 'out'}",
        "--format=tflite_int8",
        f"--representative_data={tmp_path / 'black.npz'}",
        f"--parity_data={few_faces}",
        "--latency_rounds=0",
    )
    assert result.returncode != 0 and "not written: its MAE is" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["parity.json"]


def test_integer_io_and_equal_bytes(few_faces, tmp_path):
    crops = load_dataset(few_faces).images.astype(np.float32)[:24]
    model = build_model("fsanet_1x1_metric", 64)
    for name in "ab":
        export_int8(model, tmp_path / f"{name}.tflite", crops, {}, integer_io=True)
    assert (tmp_path / "a.tflite").read_bytes() == (tmp_path / "b.tflite").read_bytes()
    interpreter = Interpreter(str(tmp_path / "a.tflite"))
    assert interpreter.get_input_details()[0]["quantization"] == (1.0, -128)
    assert interpreter.get_output_details()[0]["dtype"] == np.int16
    poses = load_network(tmp_path / "a.tflite").predict(crops)
    np.testing.assert_allclose(poses, model.predict(crops, verbose=0), atol=10)


def test_ready_for_int8_keeps_the_poses(released, few_faces):
    crops = load_dataset(few_faces).images.astype(np.float32)[:24]
    model = load_model(released / "ssrnet_mt.h5")
    ready = ready_for_int8(model, crops)
    # not exact: the first kernels are on their int8 grid already
    np.testing.assert_allclose(ready.predict(crops, verbose=0), model.predict(crops, verbose=0), atol=1)
    maps = keras.Model(ready.inputs, ready.get_layer("relu_block4_relu").output).predict(crops, verbose=0)
    ranges = maps.max((0, 1, 2))
    np.testing.assert_allclose(ranges[ranges > 0.01], 1, rtol=1e-4)


def test_saved_model_answers_without_this_package(exported, aflw2000, reference, tmp_path):
    crops = load_dataset(aflw2000).images[:4]
    np.save(tmp_path / "crops.npy", crops)
    for i, crop in enumerate(crops):
        cv2.imwrite(str(tmp_path / f"{i}.png"), crop)
    code = (
        "import sys, numpy as np, tensorflow as tf; "
        "model = tf.saved_model.load(sys.argv[1]); crops = np.load(sys.argv[2] + '/crops.npy'); "
        "a = model.signatures['serving_default'](image=tf.constant(crops, tf.float32)); "
        "files = [open(f'{sys.argv[2]}/{i}.png', 'rb').read() for i in range(4)]; "
        "b = model.signatures['serving_image_bytes'](image_bytes=tf.constant(files)); "
        "assert 'fsanet_tf' not in sys.modules; "
        "np.savez(sys.argv[2] + '/out.npz', a=a['pose'], b=b['pose'], yaw=a['yaw'], roll=b['roll'])"
    )
    result = run_process("-c", code, str(exported / f"{NAME}_saved_model"), str(tmp_path), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    golden = np.load(reference / "golden/aflw2000_outputs.npz")["fsanet_var_capsule_3_16_2_21_5"][:4]
    out = np.load(tmp_path / "out.npz")
    for poses in (out["a"], out["b"]):
        np.testing.assert_allclose(poses, golden, atol=1e-2)
    np.testing.assert_array_equal(out["yaw"], out["a"][:, 0])
    np.testing.assert_array_equal(out["roll"], out["b"][:, 2])


@pytest.mark.slow
def test_fusion_is_one_file_with_an_open_batch_and_timed(tmp_path):
    for variant in ("fsanet_noS_metric", "ssrnet_mt"):
        build_model(variant, 32).save(tmp_path / f"{variant}.keras")
    weights = ",".join(str(tmp_path / f"{variant}.keras") for variant in ("fsanet_noS_metric", "ssrnet_mt"))
    arguments = (f"--weights={weights}", "--format=tflite_float32", "--batch=dynamic", "--latency_rounds=1")
    result = run_fsanet("export", *arguments, f"--output_dir={tmp_path / 'out'}")
    assert result.returncode == 0 and "fsanet_fusion_float32.tflite" in result.stdout, result.stderr
    report = json.loads((tmp_path / "out/parity.json").read_text())
    assert report["files"][0]["max_deg"] < 1e-2
    assert report["latency"].keys() == {"fsanet_fusion.keras", "fsanet_fusion_float32.tflite"}
    assert report["latency"]["fsanet_fusion_float32.tflite"]["times_faster_than_keras"] > 0


@pytest.mark.parametrize("mirror", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_exported_fusion_predicts_its_uncertainty(mirror, tmp_path):
    formats = [f"--format={name}" for name in ("saved_model", "frozen_graph", "onnx", "tflite_float32")]
    options = [f"--output_dir={tmp_path}", "--latency_rounds=0", *(["--mirror"] if mirror else [])]
    result = run_fsanet("export", "--weights=fusion", *formats, *options)
    assert result.returncode == 0, result.stderr
    crops = np.stack([cv2.resize(read_image("astronaut")[:, 150 + i : 350], (64, 64)) for i in range(3)])
    crops = crops.astype(np.float32)
    poses, uncertainty = load_network("fusion").predict_with_uncertainty(crops, mirror)
    assert np.ptp(uncertainty) > 0
    stem = "fsanet_fusion" + ("_mirror" if mirror else "")
    for suffix in ("_saved_model", ".pb", ".onnx", "_float32.tflite"):
        network = load_network(tmp_path / (stem + suffix))
        answers, expected = network.predict_with_uncertainty(crops)
        np.testing.assert_allclose(answers, poses, atol=1e-3)
        np.testing.assert_allclose(expected, uncertainty, atol=1e-3)
        assert network.predict(crops).shape == (3, 3)
        assert read_card(tmp_path / (stem + suffix))["mirror"] is mirror


def test_mistakes_are_one_clear_line(tmp_path):
    output = f"--output_dir={tmp_path / 'out'}"
    assert_one_clear_line(run_fsanet("export", output), "--weights: is required")
    assert_one_clear_line(
        run_fsanet("export", output, "--weights=absent.keras"), "absent.keras: no such file"
    )
    (tmp_path / "net.keras").write_bytes(b"x")
    int8 = run_fsanet("export", output, f"--weights={tmp_path / 'net.keras'}", "--format=tflite_int8")
    assert_one_clear_line(int8, "expected --representative_data")
    card = tmp_path / "net.json"
    card.write_text('{"margin_ratio": 0.29, "square": true}')
    assert_one_clear_line(
        run_fsanet("export", output, f"--weights=var,{tmp_path / 'net.keras'}"), "could not read it"
    )
    card.unlink()
    assert_one_clear_line(
        run_fsanet("export", output, f"--weights=var,{tmp_path / 'net.keras'}"),
        "var.keras expects square boxes with a margin of 0.29",
        "net.keras expects stretched boxes with a margin of 0.6",
    )
    assert not (tmp_path / "out").exists()


def test_killed_in_the_middle_nothing_half_written_has_its_name(tmp_path):
    build_model("fsanet_noS_metric", 32).save(tmp_path / "net.keras")
    out = tmp_path / "out"
    command = [sys.executable, "export.py", f"--weights={tmp_path / 'net.keras'}", f"--output_dir={out}"]
    process = subprocess.Popen([*command, "--latency_rounds=0", "--format=saved_model"], cwd=ROOT)
    while not list(out.glob(".*/*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not [path for path in out.iterdir() if not path.name.startswith(".")]
