"""Networks of others, and our own by others' converters: right poses, or one clear line."""

import contextlib
import shutil
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
from fsanet_tf.networks.pretrained import network_files
from tests.conftest import run_process

SIZE = 32


@pytest.fixture(autouse=True)
def ignore_missing_cards():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(does not say how to crop|taken as yaw, pitch, roll)")
        yield


@pytest.fixture(scope="module")
def model(tiny):
    return build_model("fsanet_noS_metric_tiny", image_size=SIZE, uncertainty=True)


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


def test_the_only_output_is_taken_as_the_pose_with_a_note_and_one_of_several_is_not(tmp_path):
    write_tflite(tmp_path / "angles.tflite", heads(SIZE, SIZE, angles=3))
    with pytest.warns(UserWarning, match="output angles is taken as yaw, pitch, roll in degrees"):
        load_network(tmp_path / "angles.tflite")
    write_tflite(tmp_path / "moods.tflite", heads(SIZE, SIZE, mood=3, bins=66))
    with pytest.raises(InputError, match=r"expected an output pose \(N, 3\), received .*mood"):
        load_network(tmp_path / "moods.tflite")


@pytest.mark.parametrize("name", ["net.keras", "net.tflite", "net"])
def test_an_output_of_another_shape_than_its_name_says_is_refused(name, tmp_path):
    network = heads(SIZE, SIZE, pose=3, uncertainty_deg=1)
    network.save(tmp_path / "net.keras")
    network.export(tmp_path / "net", verbose=False)
    write_tflite(tmp_path / "net.tflite", network)
    with pytest.raises(
        InputError, match=r"expected an output uncertainty_deg of numbers \(1,\), received .*1, 1"
    ):
        load_network(tmp_path / name)


def test_one_answer_for_several_crops_is_refused(tmp_path):
    write_onnx(
        tmp_path / "net.onnx", lambda image: tf.reduce_mean(image, (0, 1, 2))[None], None, SIZE, SIZE, 3
    )
    network = load_network(tmp_path / "net.onnx", num_threads=1)
    with pytest.raises(
        InputError, match=r"net.onnx: expected an output pose of numbers \(4, 3\), received .*1, 3"
    ):
        network.predict(np.zeros((4, SIZE, SIZE, 3), np.float32))


def test_further_inputs_are_refused(tmp_path):
    first, second = keras.Input((SIZE, SIZE, 3)), keras.Input((SIZE, SIZE, 3))
    features = keras.layers.GlobalAveragePooling2D()(first - second)
    write_tflite(tmp_path / "net.tflite", keras.Model([first, second], keras.layers.Dense(3)(features)))
    with pytest.raises(InputError, match=r"net.tflite: expected a network of one input, received .*, "):
        load_network(tmp_path / "net.tflite")


def test_quantized_inputs_that_cannot_represent_pixels_are_refused(rng, tmp_path):
    def quantized(largest: float) -> Path:
        converter = tf.lite.TFLiteConverter.from_keras_model(heads(SIZE, SIZE, pose=3))
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        faces = largest * rng.random((4, 1, SIZE, SIZE, 3)).astype(np.float32)
        converter.representative_dataset = lambda: ([face] for face in faces)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
        path = tmp_path / f"{largest}.tflite"
        path.write_bytes(converter.convert())
        return path

    assert load_network(quantized(255.0)).image_size == SIZE
    with pytest.raises(InputError, match=r"expected images of pixels .* received uint8 of 0 to 0\.99"):
        load_network(quantized(1.0))


def test_a_sequential_model_is_a_network_and_one_without_an_input_is_not(tmp_path):
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, kernel_initializer="ones")]
    keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers]).save(tmp_path / "net.keras")
    pose = load_network(tmp_path / "net.keras").predict(np.ones((1, SIZE, SIZE, 3), np.float32))["pose"]
    np.testing.assert_allclose(pose, 3.0)
    keras.Sequential(layers).save(tmp_path / "open.keras")
    with pytest.raises(InputError, match="received one without an input"):
        load_network(tmp_path / "open.keras")


def test_the_card_is_found_whatever_the_case_of_the_suffix(tmp_path):
    shutil.copy(network_files("1x1")[0], tmp_path / "NET.TFLITE")
    assert load_network(tmp_path / "NET.TFLITE").card == load_network("1x1").card


@pytest.mark.parametrize(
    "card", [{"crop": "0.6"}, {"crop": [0.6]}, {"crop": {"margin": 0.6}}, {"variant": "x"}]
)
def test_a_card_that_does_not_say_how_to_crop_is_refused(card):
    with pytest.raises(InputError, match="crop: expected margin_ratio, square, sampling, received"):
        NetworkCard.from_json(card)
