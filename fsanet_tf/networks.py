"""Networks as functions, whatever file they come from: `.keras`, `.h5`, SavedModel, `.tflite`, shipped."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fsanet_tf.crop import LANDMARK_MARGIN
from fsanet_tf.errors import InputError
from fsanet_tf.files import require_file

PRETRAINED_DIR = Path(__file__).parent / "pretrained"
FUSION = "fusion"
EXPECTED = "a network: .keras, .h5, .tflite, .pb, .onnx or a SavedModel folder"


@dataclasses.dataclass(frozen=True)
class Network:
    """A network and what its card says of it.

    Attributes:
        predict: float32 BGR crops `(N, size, size, 3)` in [0, 255] to float32 poses `(N, 3)`: yaw,
            pitch, roll in degrees.
        image_size: side of its input in pixels.
        margin_ratio: how far it wants landmark boxes grown on each side.
        square: whether it wants squares, not stretched boxes.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    image_size: int
    margin_ratio: float = LANDMARK_MARGIN
    square: bool = False


def shipped_networks() -> dict[str, Path]:
    """The networks of the package, by name; `fusion` is their mean."""
    return {path.stem: path for path in sorted(PRETRAINED_DIR.glob("*.tflite"))}


def _fusion() -> Network:
    members = [load_network(path) for path in shipped_networks().values()]
    return dataclasses.replace(
        members[0], predict=lambda crops: np.mean([member.predict(crops) for member in members], axis=0)
    )


def load_network(source: str | Path) -> Network:
    """Load a network by path, or one of the package's by name.

    A `.tflite` file needs no TensorFlow.

    Raises:
        InputError: no such network, or a file that cannot be used.
    """
    if str(source) == FUSION:
        return _fusion()
    path = shipped_networks().get(str(source), Path(source))
    if not path.exists():
        names = ", ".join([FUSION, *shipped_networks()])
        raise InputError(f"{source}: no such network (a file, or one of the package's: {names})")
    if path.is_dir():
        predict, image_size = _saved_model(path)
    else:
        require_file(path, EXPECTED)
        loaders = {".tflite": _tflite, ".pb": _frozen_graph, ".onnx": _onnx, ".keras": _keras, ".h5": _keras}
        if path.suffix not in loaders:
            raise InputError(f"{path}: expected {EXPECTED}")
        predict, image_size = loaders[path.suffix](path)
    return Network(predict, image_size, **read_card(path))


def read_card(path: Path) -> dict:
    """Margin and shape of the crops, from the card beside the file (`net.json`), where there is one."""
    card = path / "card.json" if path.is_dir() else path.with_suffix(".json")
    if not card.exists():
        return {}
    try:
        content = json.loads(card.read_text())
        known = {key: content[key] for key in ("margin_ratio", "square") if content.get(key) is not None}
    except (ValueError, AttributeError) as error:
        raise InputError(f"{card}: expected the card of a network, could not read it ({error})") from error
    return known


def _keras(path: Path):
    from fsanet_tf.command_line import import_tensorflow_quietly

    import_tensorflow_quietly()
    from fsanet_tf.weights import load_model

    model = load_model(path)
    return lambda crops: np.asarray(model.predict(crops, verbose=0)), model.input_shape[1]


def _saved_model(path: Path):
    from fsanet_tf.command_line import import_tensorflow_quietly

    import_tensorflow_quietly()
    import tensorflow as tf

    try:
        serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: expected a SavedModel folder ({' '.join(str(error).split())})") from error
    size = serve.structured_input_signature[1]["image"].shape[1]
    return lambda crops: serve(image=tf.constant(crops))["pose"].numpy(), size


def _tflite(path: Path):
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(str(path))
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
        interpreter.set_tensor(image["index"], crops.astype(np.float32))
        interpreter.invoke()
        return interpreter.get_tensor(pose["index"]).copy()

    return predict, int(image["shape"][1])


def _frozen_graph(path: Path):
    from fsanet_tf.command_line import import_tensorflow_quietly

    import_tensorflow_quietly()
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(path.read_bytes())
        wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name=""), [])
        image = wrapped.graph.as_graph_element("input_1:0")
        answers = [op for op in wrapped.graph.get_operations() if op.name.startswith("pred_pose/")]
        predict = wrapped.prune(image, answers[-1].outputs[0])
    except Exception as error:  # protobuf and TensorFlow each raise their own
        raise InputError(f"{path}: expected a frozen graph from input_1 to pred_pose ({error})") from error
    return lambda crops: predict(tf.constant(crops)).numpy(), image.shape[1] or 64


def _onnx(path: Path):
    try:
        import onnxruntime
    except ImportError as error:
        raise InputError(f"{path}: an .onnx file needs onnxruntime (pip install onnxruntime)") from error
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common base of its errors
        raise InputError(f"{path}: expected an .onnx file ({' '.join(str(error).split())[:200]})") from error
    image = session.get_inputs()[0]
    return lambda crops: session.run(None, {image.name: crops})[0], image.shape[1]
