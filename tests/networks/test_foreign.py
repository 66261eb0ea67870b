"""Networks of others, and our own by others' converters: right poses, or one clear line."""

import contextlib
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tf2onnx import convert

from fsanet_tf.errors import InputError
from fsanet_tf.export.formats import export_saved_model
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import NetworkCard
from fsanet_tf.networks.network import load_network
from tests.conftest import run_process

SIZE = 32


@pytest.fixture(autouse=True)
def ignore_missing_cards():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not say how to crop faces")
        yield


@pytest.fixture(scope="module")
def model():
    return build_model("fsanet_noS_metric", image_size=SIZE, uncertainty=True)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "net"
    export_saved_model(model, path, NetworkCard(SIZE))
    return path


@pytest.fixture
def crops(rng):
    return rng.integers(0, 256, (3, SIZE, SIZE, 3)).astype(np.float32)


def require_equal(
    path: Path, model, crops: np.ndarray, names: tuple[str, ...] = ("pose", "uncertainty_deg")
) -> None:
    expected, outputs = model.predict(crops, verbose=0), load_network(path).predict(crops)
    assert set(outputs) == set(names)
    for name in names:
        np.testing.assert_allclose(outputs[name], expected[name], atol=1e-3)


def write_tflite(path: Path, network: keras.Model) -> None:
    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())


def write_onnx(path: Path, function, *shape: int | None, dtype=tf.float32) -> None:
    signature = [tf.TensorSpec(shape, dtype, name="image")]
    proto, _ = convert.from_function(
        tf.function(function, input_signature=signature), input_signature=signature
    )
    path.write_bytes(proto.SerializeToString())


def heads(height: int | None, width: int | None, **outputs: int) -> keras.Model:
    """A small network with dense outputs of given sizes."""
    image = keras.Input((height, width, 3))
    features = keras.layers.GlobalAveragePooling2D()(image)
    return keras.Model(image, {name: keras.layers.Dense(size)(features) for name, size in outputs.items()})


def test_our_saved_model_by_tensorflows_converter(saved, model, crops, tmp_path):
    content = tf.lite.TFLiteConverter.from_saved_model(str(saved), ["serving_default"]).convert()
    (tmp_path / "net.tflite").write_bytes(content)
    require_equal(tmp_path / "net.tflite", model, crops)


@pytest.mark.slow
def test_our_saved_model_by_tf2onnxs_command(saved, model, crops, tmp_path):
    command = ["-m", "tf2onnx.convert", "--saved-model", str(saved), "--output", str(tmp_path / "net.onnx")]
    result = run_process(*command, "--opset", "17")
    assert result.returncode == 0, result.stderr
    require_equal(tmp_path / "net.onnx", model, crops)


def test_kerass_export_and_converter(model, crops, tmp_path):
    with contextlib.redirect_stdout(sys.stderr):
        model.export(tmp_path / "net", verbose=False)
    require_equal(tmp_path / "net", model, crops)
    write_tflite(tmp_path / "net.tflite", model)
    require_equal(tmp_path / "net.tflite", model, crops)


def test_an_onnx_of_whole_numbers_and_the_only_output_of_three(model, crops, tmp_path):
    def predict(image):
        return tf.identity(model(tf.cast(image, tf.float32))["pose"], name="angles")

    write_onnx(tmp_path / "net.onnx", predict, None, SIZE, SIZE, 3, dtype=tf.uint8)
    require_equal(tmp_path / "net.onnx", model, crops, ("pose",))


def test_outputs_that_are_no_pose_are_refused_in_one_line(tmp_path):
    write_tflite(tmp_path / "bins.tflite", heads(SIZE, SIZE, yaw=66, pitch=66))
    with pytest.raises(InputError, match=r"expected an output pose \(N, 3\), received .*66.*66") as error:
        load_network(tmp_path / "bins.tflite")
    assert "\n" not in str(error.value)
    write_tflite(tmp_path / "two.tflite", heads(SIZE, SIZE, left=3, right=3))
    with pytest.raises(InputError, match=r"expected an output pose"):
        load_network(tmp_path / "two.tflite")


@pytest.mark.parametrize("shape", [(64, 48), (None, None)])
def test_inputs_that_are_not_square_are_refused_in_one_line(shape, tmp_path):
    network = heads(*shape, pose=3)
    network.save(tmp_path / "net.keras")
    write_onnx(tmp_path / "net.onnx", lambda image: network(image)["pose"], None, *shape, 3)
    write_tflite(tmp_path / "net.tflite", network)
    network.export(tmp_path / "net", verbose=False)
    for name in ("net.keras", "net.onnx", "net.tflite", "net"):
        with pytest.raises(
            InputError, match=r"expected a network of \(N, S, S, 3\), received one of"
        ) as error:
            load_network(tmp_path / name)
        assert "\n" not in str(error.value)


def test_channels_first_are_refused_in_one_line(tmp_path):
    write_onnx(tmp_path / "net.onnx", lambda image: tf.reduce_mean(image, (2, 3)), None, 3, SIZE, SIZE)
    with pytest.raises(InputError, match=r"received one of \(.*, 3, 32, 32\)"):
        load_network(tmp_path / "net.onnx")
