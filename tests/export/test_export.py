"""Exported files, loaded in another process, give the Keras network's poses."""

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import flatbuffers
import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from flatbuffers.table import Table
from keras import layers
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tqdm import tqdm

from fsanet_tf.data.dataset import FaceDataset, load_dataset, save_dataset
from fsanet_tf.errors import InputError, OptionError
from fsanet_tf.export.config import FORMATS, ExportConfig
from fsanet_tf.export.export import export_model
from fsanet_tf.export.formats import export_int8
from fsanet_tf.export.operations import read_operations
from fsanet_tf.export.parity import astronaut_samples
from fsanet_tf.export.quantization import CONVOLUTIONS, DENSE, LARGE, _rescalings, ready_for_int8
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.io.files import sha256
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import OUTPUTS, NetworkCard, read_card
from fsanet_tf.networks.keras_files import load_model, save_model
from fsanet_tf.networks.network import load_network
from tests.conftest import ROOT, assert_one_clear_line, run_fsanet, run_process
from tests.golden.seeded import set_weights
from tests.small_networks import pooled

NAME, WEIGHTS = "fsanet_var_capsule", "fsanet_var_capsule_3_16_2_21_5.h5"
EXACT = tuple(NAME + suffix for suffix in ("_saved_model", ".pb", ".onnx", "_float32.tflite"))
SMALL = {"float16": (0.02, 560), "dynamic": (0.05, 480), "int8": (0.05, 480)}  # degrees of MAE, KiB


@pytest.fixture(scope="module")
def exported(released, first64, tmp_path_factory):
    """Released weights in every format that float32 determines."""
    folder = tmp_path_factory.mktemp("exported")
    formats = "--formats=saved_model,frozen_graph,onnx,tflite_float32"
    options = (formats, f"--parity_data={first64}", f"--output_dir={folder}")
    result = run_fsanet("export", f"--network={released / WEIGHTS}", *options)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.mark.slow
def test_parity_on_aflw2000(released, aflw2000, tmp_path):
    data = f"--representative_data={aflw2000}"
    result = run_fsanet("export", f"--network={released / WEIGHTS}", f"--output_dir={tmp_path}", data)
    assert result.returncode == 0, result.stderr
    assert "1969 faces of" in result.stdout and "left out" not in result.stdout
    report = json.loads((tmp_path / "parity.json").read_text())
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
        require_released_card(tmp_path / row["file"], released)
    int8 = tmp_path / f"{NAME}_int8.tflite"
    suffering = {"DIV", "RSQRT", "SOFTMAX", "SQUARED_DIFFERENCE"}
    # large: two structure mappings and the capsules' transformation
    require_integers(int8, num_convolutions=32, num_large=3, floats=suffering)
    crop = load_dataset(aflw2000).images[:1].astype(np.float32)
    poses = [load_network(path).predict(crop)["pose"] for path in (int8, tmp_path / EXACT[0])]
    np.testing.assert_allclose(*poses, atol=3)


def require_integers(path, num_convolutions: int, num_large: int, floats: set[str]) -> None:
    """Require that the file's convolutions and large dense layers are int8, and what suffers from it not."""
    operations = read_operations(path.read_bytes())
    convolutions = [op for op in operations if op.kind in CONVOLUTIONS]
    assert len(convolutions) == num_convolutions and {op.output_type for op in convolutions} == {"INT8"}
    large = [op for op in operations if op.kind in DENSE and op.num_weights >= LARGE]
    assert len(large) == num_large and {op.weight_type for op in large} == {"INT8"}
    assert floats <= {op.kind for op in operations if op.output_type == "FLOAT32"}


def require_released_card(path, released) -> None:
    card = read_card(path)
    assert card.about["training"] == {"data": ["300W_LP"]} and card.crop == CropRule(0.6)
    assert card.outputs == {"pose": OUTPUTS["pose"]}
    assert card.about["source_sha256"] == {WEIGHTS: sha256(released / WEIGHTS)}


def test_an_int8_file_holds_every_convolution_and_large_dense_layer(tiny, first64, tmp_path):
    model = build_model("fsanet_1x1_metric_tiny", image_size=32)
    set_weights(model)
    save_model(tmp_path / "net.keras", model, NetworkCard(32))
    data = (f"--representative_data={first64}", "--max_mae_increase=5")
    options = (f"--network={tmp_path / 'net.keras'}", "--formats=tflite_int8", *data)
    result = run_fsanet("export", *options, f"--output_dir={tmp_path}")
    assert result.returncode == 0, result.stderr
    file = tmp_path / "fsanet_1x1_metric_tiny_int8.tflite"
    require_integers(file, num_convolutions=11, num_large=3, floats={"DIV"})
    crops = astronaut_samples(32, CropRule(0.6)).crops
    expected = model.predict(crops, verbose=0)["pose"]
    difference = np.abs(load_network(file).predict(crops)["pose"] - expected)
    assert difference.mean() < 0.2 * expected.std(axis=0).mean()


def test_released_weights_keep_their_poses_and_their_card_in_every_format(exported, released, first64):
    report = json.loads((exported / "parity.json").read_text())
    rows = {row["file"]: row for row in report["files"]}
    assert set(rows) == set(EXACT) and all(row["max_deg"] < 1e-3 for row in rows.values())
    assert rows[f"{NAME}.onnx"]["bytes"] < 1.1 * rows[f"{NAME}.pb"]["bytes"]  # no second copy of weights
    for name in EXACT:
        require_released_card(exported / name, released)


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


@pytest.mark.slow
def test_a_poisoned_representative_set_is_refused(released, first64, tmp_path):
    data = load_dataset(first64)
    black = dataclasses.replace(data, images=np.zeros_like(data.images))
    save_dataset(tmp_path / "black.npz", black)
    network, output = str(released / "fsanet_capsule_3_16_2_21_5.h5"), str(tmp_path / "out")
    config = ExportConfig(
        network,
        output,
        "tflite_int8",
        representative_data=str(tmp_path / "black.npz"),
        parity_data=str(first64),
    )
    report = export_model(config)
    assert not report.files and "not written: its MAE is" in report.refused[0]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["parity.json"]


@pytest.mark.slow
def test_integer_io_and_equal_bytes(first64, tmp_path, capsys):
    crops = load_dataset(first64).images.astype(np.float32)[:24]
    model = build_model("fsanet_1x1_metric", localize=True, uncertainty=True)
    card = NetworkCard(64)
    for name in "ab":
        with tqdm(total=1):  # as that of the formats
            export_int8(model, tmp_path / f"{name}.tflite", crops, card, integer_io=True, progress=True)
    printed = capsys.readouterr().err
    assert printed.count("int8 trials") > 2 and printed.count("\n") == 2  # each bar stays in its line
    assert (tmp_path / "a.tflite").read_bytes() == (tmp_path / "b.tflite").read_bytes()
    interpreter = Interpreter(str(tmp_path / "a.tflite"))
    assert interpreter.get_input_details()[0]["quantization"] == (1.0, -128)
    assert {output["dtype"] for output in interpreter.get_output_details()} == {np.int16}
    outputs, expected = load_network(tmp_path / "a.tflite").predict(crops), model.predict(crops, verbose=0)
    assert set(outputs) == set(OUTPUTS)
    for name, tolerance in (("pose", 10), ("uncertainty_deg", 1), ("box_offset", 0.1), ("face_score", 0.1)):
        np.testing.assert_allclose(outputs[name], expected[name], atol=tolerance)
    assert b"/tmp" not in (tmp_path / "a.tflite").read_bytes()


def test_ready_for_int8_keeps_the_poses(released, first64):
    crops = load_dataset(first64).images.astype(np.float32)[:24]
    model = load_model(released / "ssrnet_mt.h5")
    ready = ready_for_int8(model, crops)
    # not exact: the first kernels are on their int8 grid already
    poses = [network.predict(crops, verbose=0)["pose"] for network in (ready, model)]
    np.testing.assert_allclose(*poses, atol=1)
    maps = keras.Model(ready.inputs, ready.get_layer("relu_block4_relu").output).predict(crops, verbose=0)
    ranges = maps.max((0, 1, 2))
    np.testing.assert_allclose(ranges[ranges > 0.01], 1, rtol=1e-4)


def found_in(model: keras.Model) -> dict[str, list[str]]:
    return {norm.name: [reader.name for reader in readers] for norm, _, readers in _rescalings(model)}


@pytest.mark.parametrize("width", [1.0, 0.5])
def test_what_int8_may_rescale_is_found_in_the_graph(width):
    found = found_in(build_model("fsanet_noS_metric", image_size=32, width=width))
    assert list(found) == [f"relu_block{block}_norm" for block in range(1, 8)]
    assert found["relu_block1_norm"] == ["relu_block2_conv"]
    assert set(found["relu_block3_norm"]) == {"stage3_relu_conv", "relu_block4_conv"}
    assert found["relu_block7_norm"] == ["stage1_relu_conv"]


def test_what_int8_must_not_rescale_is_left_alone():
    image = keras.Input((32, 32, 3))
    x = layers.SeparableConv2D(8, 3, name="first", use_bias=False, depth_multiplier=2)(image)
    x = layers.ReLU()(layers.BatchNormalization(name="good")(x))
    x = layers.Conv2D(8, 3, name="second")(layers.MaxPooling2D()(x))
    saturating = layers.ReLU(max_value=6)(layers.BatchNormalization(name="saturating")(x))
    added = layers.ReLU()(
        layers.BatchNormalization(name="added")(layers.Conv2D(8, 3, padding="same")(saturating))
    )
    x = layers.Add()([layers.Conv2D(8, 1)(added), added])
    last = layers.ReLU()(layers.BatchNormalization(name="last")(layers.Conv2D(8, 3)(x)))
    pooled = layers.GlobalAveragePooling2D()(last)
    model = keras.Model(image, {"pose": layers.Dense(3)(pooled)})
    assert found_in(model) == {"good": ["second"]}
    crops = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    ready = ready_for_int8(model, crops)
    assert isinstance(ready.get_layer("first"), layers.Conv2D)
    poses = [network.predict(crops, verbose=0)["pose"] for network in (ready, model)]
    np.testing.assert_allclose(*poses, rtol=0.05, atol=0.5)


def test_saved_model_answers_without_this_package(exported, first64, reference, tmp_path):
    crops = load_dataset(first64).images[:4]
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


def standard_metadata(path: Path) -> list[list[tuple[str, str]]]:
    """Return the names and descriptions of inputs and of outputs in a `.tflite` file's standard metadata."""
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    (entry,) = (
        model.Metadata(i)
        for i in range(model.MetadataLength())
        if model.Metadata(i).Name() == b"TFLITE_METADATA"
    )
    data = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
    assert data[4:8] == b"M001"

    def text(table, slot):
        return table.String(table.Pos + table.Offset(4 + 2 * slot)).decode()

    def tables(table, slot):
        field = table.Offset(4 + 2 * slot)
        places = (table.Vector(field) + 4 * i for i in range(table.VectorLen(field)))
        return [Table(data, table.Indirect(place)) for place in places]

    (graph,) = tables(Table(data, flatbuffers.encode.Get(flatbuffers.packer.uoffset, data, 0)), 3)
    return [[(text(tensor, 0), text(tensor, 1)) for tensor in tables(graph, slot)] for slot in (2, 3)]


def test_every_output_by_name_in_every_format_without_a_path_of_this_machine(tiny, tmp_path):
    model = build_model("fsanet_noS_metric_tiny", image_size=32, localize=True, uncertainty=True)
    rule = CropRule(0.29, square=True, sampling="filtered")
    save_model(tmp_path / "net.keras", model, NetworkCard(32, rule, about={"training": {"data": ["mine"]}}))
    output = tmp_path / ("caf\udce9" if sys.platform == "linux" else "out")  # not UTF-8
    report = export_model(ExportConfig(str(tmp_path / "net.keras"), str(output)))
    assert report.refused == () and [line.split(":")[0] for line in report.left_out] == ["tflite_int8"]
    assert "crops of the packaged photo" in report.compared_on
    crops = astronaut_samples(32, rule).crops
    expected = model.predict(crops, verbose=0)
    for row in report.files:
        network = load_network(output / row.file)
        outputs = network.predict(crops)
        assert outputs.keys() == expected.keys() == set(OUTPUTS) and set(row.max_differences) == set(
            OUTPUTS
        ) - {"pose"}
        for name, values in outputs.items():
            small = row.file.endswith(("16.tflite", "dynamic.tflite"))
            np.testing.assert_allclose(values, expected[name], atol=2 if small else 1e-3)
        broken = crops[:2].copy()
        broken[1, 7, 9, 0] = np.nan
        for name, values in network.predict(broken).items():
            assert np.isfinite(values[0]).all() and np.isnan(values[1]).all()
            assert network.predict(crops[:0])[name].shape == (0, *values.shape[1:])
        assert network.card == read_card(output / row.file)
        assert network.card.crop == rule and network.card.outputs == OUTPUTS
        assert network.card.about["training"] == {"data": ["mine"]} and network.card.image_size == 32
        assert (row.ms_per_face or 0) > 0 or row.file.endswith((".pb", "saved_model"))
    (image,), outputs = standard_metadata(output / "fsanet_noS_metric_tiny_float32.tflite")
    assert image == ("image", "float32 (N, 32, 32, 3), BGR, 0 to 255") and dict(outputs) == OUTPUTS
    assert not list(output.glob("net*.json"))
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        for here in (b"/tmp/", str(ROOT).encode(), str(tmp_path).encode(), sys.prefix.encode()):
            assert here not in path.read_bytes(), path
    meta = onnxruntime.InferenceSession((output / "fsanet_noS_metric_tiny.onnx").read_bytes())
    assert np.isnan(meta.run(["pose"], {"image": broken})[0]).any(axis=1).tolist() == [False, True]
    assert meta.run(["pose"], {"image": broken[:0]})[0].shape == (0, 3)
    assert {tensor.shape[0] for tensor in (*meta.get_inputs(), *meta.get_outputs())} == {"batch"}
    assert meta.get_modelmeta().version == 1 and meta.get_modelmeta().producer_name == "fsanet_tf"
    assert "pose" in meta.get_modelmeta().description


def test_a_network_of_nan_is_refused_without_labels(tmp_path):
    model = pooled(32)
    model.layers[-1].bias.assign([np.nan] * 3)
    save_model(tmp_path / "net.keras", model, NetworkCard(32))
    with pytest.raises(InputError, match=r"net\.keras: pose of face 0 is not finite"):
        export_model(ExportConfig(tmp_path / "net.keras", tmp_path / "out", ("onnx", "tflite_float32")))
    assert not (tmp_path / "out").exists()


def test_a_file_of_nan_is_refused_by_its_own_name(tmp_path, monkeypatch):
    from fsanet_tf.export import export

    model = build_model("ssrnet_mt", image_size=32)
    broken = keras.Model(model.input, {"pose": keras.ops.log(-1 - keras.ops.abs(model.output["pose"]))})
    save_model(tmp_path / "net.keras", model, NetworkCard(32))
    write = lambda job, path: export.export_frozen_graph(broken, path, job.card)  # noqa: E731
    monkeypatch.setitem(export.WRITERS, "frozen_graph", write)
    report = export_model(ExportConfig(tmp_path / "net.keras", tmp_path / "out", "frozen_graph"))
    assert report.refused[0].startswith("ssrnet_mt.pb: expected finite outputs, received pose [nan")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["parity.json"]


def test_a_file_far_from_keras_is_refused_without_labels(tmp_path, monkeypatch):
    from fsanet_tf.export import export

    model = pooled(32)
    other = keras.Model(model.input, {"pose": model.output["pose"] + 1.0})
    save_model(tmp_path / "net.keras", model, NetworkCard(32))
    write = lambda job, path: export.export_frozen_graph(other, path, job.card)  # noqa: E731
    monkeypatch.setitem(export.WRITERS, "frozen_graph", write)
    report = export_model(ExportConfig(str(tmp_path / "net.keras"), str(tmp_path / "out"), "frozen_graph"))
    assert report.files == () and "in the mean; expected at most 0.05°" in report.refused[0]


def test_a_networks_own_labels_are_no_truth(tmp_path):
    model = pooled()
    save_model(tmp_path / "net.keras", model)
    images = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8)
    poses = model.predict(images.astype(np.float32), verbose=0)["pose"]
    save_dataset(tmp_path / "own.npz", FaceDataset.from_arrays(images, poses))
    config = ExportConfig(
        str(tmp_path / "net.keras"),
        str(tmp_path / "out"),
        "frozen_graph",
        parity_data=str(tmp_path / "own.npz"),
    )
    report = export_model(config)
    assert report.files[0].mae_deg is None and report.compared_on.endswith("labeled by this network")


@pytest.mark.slow
@pytest.mark.parametrize("mirror", [False, True])
def test_exported_fusion_predicts_its_uncertainty(mirror, tmp_path):
    formats = (
        ("onnx", "tflite_float32")
        if not mirror
        else ("saved_model", "frozen_graph", "onnx", "tflite_float32")
    )
    report = export_model(ExportConfig("fusion", str(tmp_path), formats, mirror=mirror, batch="dynamic"))
    assert report.refused == ()
    network = load_network(load_model("fusion", mirror=mirror))
    crops = astronaut_samples(64, network.card.crop).crops[:3]
    expected = network.predict(crops)
    assert np.ptp(expected["uncertainty_deg"]) > 0
    for row in report.files:
        assert row.file.startswith("fsanet_fusion_mirror" if mirror else "fsanet_fusion")
        outputs = load_network(tmp_path / row.file).predict(crops)
        np.testing.assert_allclose(outputs["pose"], expected["pose"], atol=1e-3)
        if not mirror:
            np.testing.assert_allclose(outputs["uncertainty_deg"], expected["uncertainty_deg"], atol=1e-3)
        card = read_card(tmp_path / row.file)
        assert card.about["mirror"] is mirror and set(card.outputs) == set(OUTPUTS)


def test_options_are_checked_in_python_too():
    assert ExportConfig("fusion", "out").network == ("fusion",)
    assert ExportConfig("var", "out", "onnx").chosen_formats() == ("onnx",)
    assert set(FORMATS) - set(ExportConfig("var", "out").chosen_formats()) == {"tflite_int8", "web", "coreml"}
    for changes, option in (
        ({"formats": "nix"}, "formats"),
        ({"formats": "tflite_int8"}, "representative_data"),
        ({"batch": "2"}, "batch"),
        ({"max_mae_increase": -1.0}, "max_mae_increase"),
        ({"network": ()}, "network"),
    ):
        with pytest.raises(OptionError) as error:
            ExportConfig(**{"network": "var", "output_dir": "out", **changes})
        assert error.value.option == option


def test_mistakes_are_one_clear_line(tmp_path):
    output = f"--output_dir={tmp_path / 'out'}"
    assert_one_clear_line(run_fsanet("export", output), "--network: is required")
    assert_one_clear_line(run_fsanet("export", output, "--network=absent.keras"), "absent.keras: no such")
    (tmp_path / "net.keras").write_bytes(b"x")
    network = f"--network={tmp_path / 'net.keras'}"
    assert_one_clear_line(
        run_fsanet("export", output, network, "--formats=tflite_int8"), "--representative_data"
    )
    assert_one_clear_line(run_fsanet("export", output, network), "could not read it")
    save_model(tmp_path / "net.keras", pooled(), NetworkCard(64))
    assert_one_clear_line(
        run_fsanet("export", output, f"--network=var,{tmp_path / 'net.keras'}"),
        "var.keras: 64 pixels, square boxes with a margin of 0.22",
        "net.keras: 64 pixels, stretched boxes with a margin of 0.6",
    )
    assert not (tmp_path / "out").exists()


def test_killed_in_the_middle_nothing_half_written_has_its_name(tmp_path):
    save_model(tmp_path / "net.keras", pooled(32), NetworkCard(32))
    out = tmp_path / "out"
    command = [sys.executable, "export.py", f"--network={tmp_path / 'net.keras'}", f"--output_dir={out}"]
    process = subprocess.Popen([*command, "--formats=saved_model"], cwd=ROOT)
    while not list(out.glob(".*/*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not [path for path in out.iterdir() if not path.name.startswith(".")]
