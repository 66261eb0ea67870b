"""Networks as files for those who serve them: SavedModel, frozen graph, ONNX, TFLite.

Every format starts from the same frozen function, whose weights are constants: none of the files needs
this package, and the converter finds normalisations to fold into convolutions.
"""

import json
import tempfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from fsanet_tf.cards import card_path, embed_card
from fsanet_tf.errors import InputError
from fsanet_tf.export.quantization import Trial, quantize, ready_for_int8
from fsanet_tf.files import replace_when_done, write_json
from fsanet_tf.networks import FROZEN_INPUT, FROZEN_OUTPUT
from fsanet_tf.pose import ANGLE_NAMES
from fsanet_tf.quiet import silent_output

PRECISIONS = ("float32", "float16", "dynamic")
ONNX_OPSET = 17
WARMUP_FACES = (1, 8)  # batch sizes that a server should have traced before its first request


def frozen_function(model: keras.Model, batch: int | None = None):
    """The network as one concrete function with constant weights.

    Args:
        model: from `(batch, size, size, 3)` to `(batch, 3)`.
        batch: size of the batch; None leaves it open.

    Returns:
        A function of `input_1`, float32 `(batch, size, size, 3)` BGR in [0, 255], that gives a list
        with the poses; its graph has the original's names, `input_1` and `pred_pose/mul_24`.
    """
    size = model.input_shape[1]

    @tf.function
    def predict(image):
        scope, name = FROZEN_OUTPUT.split("/")
        with tf.name_scope(scope):
            return tf.identity(model(image, training=False), name=name)

    spec = tf.TensorSpec((batch, size, size, 3), tf.float32, name=FROZEN_INPUT)
    return convert_variables_to_constants_v2(predict.get_concrete_function(spec))


def export_frozen_graph(model: keras.Model, path: Path) -> None:
    """Write a `.pb` for those who feed the original's: from `input_1` to `pred_pose/mul_24`."""
    graph_def = frozen_function(model).graph.as_graph_def()
    with replace_when_done(path) as temporary:
        temporary.write_bytes(graph_def.SerializeToString(deterministic=True))


def export_onnx(model: keras.Model, path: Path, card: dict) -> None:
    """Write an `.onnx` file with an open batch: `image` `(N, size, size, 3)` BGR in [0, 255] → `pose`.

    Raises:
        InputError: tf2onnx is not installed.
    """
    try:
        from tf2onnx import convert
    except ImportError as error:
        raise InputError(f"{path}: ONNX needs tf2onnx (pip install 'fsanet_tf[export]')") from error
    frozen = frozen_function(model)
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")]
    function = tf.function(lambda image: {"pose": frozen(image)[0]}, input_signature=signature)
    with silent_output():
        proto, _ = convert.from_function(function, input_signature=signature, opset=ONNX_OPSET)
    _drop_shapes_of_constants(proto.graph)
    for key, value in card.items():
        proto.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    with replace_when_done(path) as temporary:
        temporary.write_bytes(proto.SerializeToString(deterministic=True))


def _drop_shapes_of_constants(graph) -> None:
    """Take out a second copy of the weights, which tf2onnx keeps of each einsum to ask for its shape."""
    from onnx import numpy_helper

    sizes = {constant.name: tuple(constant.dims) for constant in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Shape" and node.input[0] in sizes]:
        shape = np.array(sizes[node.input[0]], np.int64)
        graph.initializer.append(numpy_helper.from_array(shape, node.output[0]))
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    for constant in [constant for constant in graph.initializer if constant.name not in used]:
        graph.initializer.remove(constant)


def export_saved_model(model: keras.Model, path: Path, card: dict) -> None:
    """Write a SavedModel folder with named signatures, an open batch and requests to warm a server up.

    `serving_default` takes `image`, float32 `(N, size, size, 3)` BGR in [0, 255]; `serving_uint8` the
    same in uint8; `serving_image_bytes` takes `image_bytes`, `(N,)` encoded JPEG or PNG crops of any
    size. All give `pose` `(N, 3)` and `yaw`, `pitch`, `roll` `(N,)` in degrees. The card stands in
    `assets.extra/card.json`.
    """
    frozen, size, module = frozen_function(model), model.input_shape[1], tf.Module()

    def answers(image: tf.Tensor) -> dict[str, tf.Tensor]:
        pose = frozen(image)[0]
        return {"pose": pose, **{name: pose[:, i] for i, name in enumerate(ANGLE_NAMES)}}

    def decode(encoded: tf.Tensor) -> tf.Tensor:
        rgb = tf.io.decode_image(encoded, channels=3, expand_animations=False)
        return tf.image.resize(tf.cast(rgb[..., ::-1], tf.float32), (size, size))

    @tf.function(input_signature=[tf.TensorSpec((None, size, size, 3), tf.float32, name="image")])
    def serving_default(image):
        return answers(image)

    @tf.function(input_signature=[tf.TensorSpec((None, size, size, 3), tf.uint8, name="image")])
    def serving_uint8(image):
        return answers(tf.cast(image, tf.float32))

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")])
    def serving_image_bytes(image_bytes):
        crops = tf.map_fn(decode, image_bytes, fn_output_signature=tf.float32)
        return answers(tf.ensure_shape(crops, (None, size, size, 3)))

    signatures = {f.__name__: f for f in (serving_default, serving_uint8, serving_image_bytes)}
    for name, function in signatures.items():
        setattr(module, name, function)
    with replace_when_done(path) as temporary:
        with silent_output():
            tf.saved_model.save(module, str(temporary), signatures=signatures)
        write_json(card_path(temporary), card)
        _write_warmup_requests(temporary / "assets.extra" / "tf_serving_warmup_requests", size)


def _write_warmup_requests(path: Path, size: int) -> None:
    """Requests that TensorFlow Serving runs before it says that it is ready."""
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError as error:
        raise InputError(
            f"{path.name}: needs tensorflow-serving-api (pip install 'fsanet_tf[export]')"
        ) from error
    face = np.zeros((size, size, 3), np.uint8)
    jpeg = tf.io.encode_jpeg(face).numpy()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for count in WARMUP_FACES:
            inputs = {
                "serving_default": ("image", np.stack([face] * count).astype(np.float32)),
                "serving_uint8": ("image", np.stack([face] * count)),
                "serving_image_bytes": ("image_bytes", [jpeg] * count),
            }
            for signature, (key, value) in inputs.items():
                request = predict_pb2.PredictRequest()
                request.model_spec.signature_name = signature
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
                log = prediction_log_pb2.PredictionLog(
                    predict_log=prediction_log_pb2.PredictLog(request=request)
                )
                writer.write(log.SerializeToString())


def export_tflite(model: keras.Model, path: Path, precision: str, card: dict, batch: int | None = 1) -> None:
    """Write a `.tflite` of builtin operations, with the card inside.

    Args:
        model: the network.
        path: the file.
        precision: `float32`; `float16` weights; or `dynamic`: 8-bit weights, activations as they come.
        card: what the file says of itself.
        batch: faces a call; None leaves it open.

    Raises:
        ValueError: unknown precision.
    """
    content = _convert(model, precision, batch)
    with replace_when_done(path) as temporary:
        temporary.write_bytes(embed_card(content, card))


def export_int8(
    model: keras.Model, path: Path, faces: np.ndarray, card: dict, integer_io: bool = False
) -> list[Trial]:
    """Write a `.tflite` with convolutions and large dense layers in int8, for one face a call.

    Args:
        model: the network.
        path: the file.
        faces: the representative set, float32 crops `(N, size, size, 3)`.
        card: what the file says of itself.
        integer_io: int8 input (the pixel minus 128) and int16 output, for microcontrollers.

    Returns:
        What each further kind of operation does to the poses in int8.
    """
    content, trials = quantize(_convert(ready_for_int8(model, faces), "float32", 1), faces, integer_io)
    with replace_when_done(path) as temporary:
        temporary.write_bytes(embed_card(content, card))
    return trials


def _convert(model: keras.Model, precision: str, batch: int | None) -> bytes:
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}. Received: {precision}")
    frozen = frozen_function(model, batch)

    @tf.function(input_signature=[tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32, name="image")])
    def predict(image):
        return {"pose": frozen(image)[0]}

    with tempfile.TemporaryDirectory() as folder, silent_output():
        module = tf.Module()
        module.predict = predict
        tf.saved_model.save(module, folder, signatures={"serving_default": predict})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()
