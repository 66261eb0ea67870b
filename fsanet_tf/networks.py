"""Networks as functions, whatever file they come from: `.keras`, `.h5`, SavedModel, `.tflite`, shipped."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fsanet_tf.cards import read_crop_rule
from fsanet_tf.crop import LANDMARK_CROP, CropRule
from fsanet_tf.errors import InputError
from fsanet_tf.files import require_file
from fsanet_tf.pretrained import FUSION, network_file, shipped_networks
from fsanet_tf.quiet import import_tensorflow_quietly, silent_output

DEFAULT_THREADS = min(4, os.cpu_count() or 1)
FROZEN_INPUT, FROZEN_OUTPUT = "input_1", "pred_pose/mul_24"  # the original's names
EXPECTED = "a network: .keras, .h5, .tflite, .pb, .onnx or a SavedModel folder"


@dataclasses.dataclass(frozen=True)
class Network:
    """A network and what its card says of it.

    Attributes:
        predict: float32 BGR crops `(N, size, size, 3)` in [0, 255] to float32 poses `(N, 3)`: yaw,
            pitch, roll in degrees.
        image_size: side of its input in pixels.
        crop: how it wants faces cropped about their landmark boxes.
        name: what it was loaded by.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    image_size: int
    crop: CropRule = LANDMARK_CROP
    name: str = ""


def _fusion(num_threads: int | None) -> Network:
    members = [load_network(path, num_threads) for path in shipped_networks().values()]
    return dataclasses.replace(
        members[0],
        predict=lambda crops: np.mean([member.predict(crops) for member in members], axis=0),
        name=FUSION,
    )


def load_network(source: str | Path, num_threads: int | None = None) -> Network:
    """Load a network by path, or one of the package's by name.

    A `.tflite` or `.onnx` file needs no TensorFlow.

    Args:
        source: the path or name.
        num_threads: of `.tflite` and `.onnx`; default: the machine's, at most four. TensorFlow's threads
            are of the whole process (`tf.config.threading`).

    Raises:
        InputError: no such network, or a file that cannot be used.
    """
    if str(source) == FUSION:
        return _fusion(num_threads)
    path = network_file(source)
    if not path.exists():
        names = ", ".join([FUSION, *shipped_networks()])
        raise InputError(f"{source}: no such network (a file, or one of the package's: {names})")
    if path.is_dir():
        predict, image_size = _saved_model(path)
    else:
        require_file(path, EXPECTED)
        if path.suffix in (".tflite", ".onnx"):
            predict, image_size = (_tflite if path.suffix == ".tflite" else _onnx)(path, num_threads)
        elif path.suffix in (".pb", ".keras", ".h5"):
            predict, image_size = (_frozen_graph if path.suffix == ".pb" else _keras)(path)
        else:
            raise InputError(f"{path}: expected {EXPECTED}")
    return Network(predict, image_size, read_crop_rule(path), str(source))


def _keras(path: Path):
    import_tensorflow_quietly()
    from fsanet_tf.weights.keras_files import load_model

    model = load_model(path)
    return lambda crops: np.asarray(model.predict(crops, verbose=0)), model.input_shape[1]


def _saved_model(path: Path):
    import_tensorflow_quietly()
    import tensorflow as tf

    try:
        serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: expected a SavedModel folder ({' '.join(str(error).split())})") from error
    size = serve.structured_input_signature[1]["image"].shape[1]
    return lambda crops: serve(image=tf.constant(crops))["pose"].numpy(), size


def _tflite(path: Path, num_threads: int | None):
    from ai_edge_litert.interpreter import Interpreter

    try:
        with silent_output():  # XNNPACK announces itself
            interpreter = Interpreter(str(path), num_threads=num_threads or DEFAULT_THREADS)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise InputError(f"{path}: expected a .tflite file ({' '.join(str(error).split())[:200]})") from error
    image, pose = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def predict(crops: np.ndarray) -> np.ndarray:
        if image["shape_signature"][0] != -1:  # a fixed batch, one face
            return np.concatenate([invoke(crop) for crop in crops[:, None]])
        if interpreter.get_input_details()[0]["shape"][0] != len(crops):
            interpreter.resize_tensor_input(image["index"], crops.shape)
            interpreter.allocate_tensors()
        return invoke(crops)

    def invoke(crops: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(image["index"], _to_integers(crops, image))
        try:
            interpreter.invoke()
        except RuntimeError as error:  # a damaged file may show it only here
            raise InputError(f"{path}: could not answer ({' '.join(str(error).split())[:200]})") from error
        return _from_integers(interpreter.get_tensor(pose["index"]), pose)

    return predict, int(image["shape"][1])


def _to_integers(values: np.ndarray, tensor: dict) -> np.ndarray:
    """Values as a quantised tensor holds them; as they are where it is float32."""
    scale, zero_point = tensor["quantization"]
    if scale:
        limits = np.iinfo(tensor["dtype"])
        values = np.clip(np.round(values / scale) + zero_point, limits.min, limits.max)
    return values.astype(tensor["dtype"])


def _from_integers(values: np.ndarray, tensor: dict) -> np.ndarray:
    """What a quantised tensor's integers stand for, float32; a copy."""
    scale, zero_point = tensor["quantization"]
    return (values.astype(np.float32) - zero_point) * (scale or 1.0)


def _frozen_graph(path: Path):
    import_tensorflow_quietly()
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(path.read_bytes())
        wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name=""), [])
        image, pose = (wrapped.graph.as_graph_element(f"{name}:0") for name in (FROZEN_INPUT, FROZEN_OUTPUT))
        predict = wrapped.prune(image, pose)
    except Exception as error:  # protobuf and TensorFlow each raise their own
        raise InputError(
            f"{path}: expected a frozen graph from {FROZEN_INPUT} to {FROZEN_OUTPUT} ({error})"
        ) from error
    return lambda crops: predict(tf.constant(crops)).numpy(), image.shape[1] or 64


def _onnx(path: Path, num_threads: int | None):
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(f"{path}: an .onnx file needs onnxruntime (pip install onnxruntime)") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads or DEFAULT_THREADS
    try:
        with silent_output():  # it tells of errors and fallbacks on its own
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        image = session.get_inputs()[0]
        _, height, width, channels = image.shape
    except Exception as error:  # onnxruntime has no common base of its errors
        raise InputError(f"{path}: expected an .onnx file ({' '.join(str(error).split())[:200]})") from error
    if height != width or channels != 3:
        raise InputError(f"{path}: expected a network of (N, S, S, 3), received one of {image.shape}")
    return lambda crops: session.run(None, {image.name: crops})[0], height
