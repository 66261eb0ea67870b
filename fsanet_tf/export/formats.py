"""Conversion of a network to SavedModel, frozen graph, ONNX and TFLite.

Every format starts from the same frozen function, whose weights are constants: no file needs this
package, and the converter can fold normalizations into convolutions. Every format has the network's outputs
by name, and contains its card.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import fsanet_tf
from fsanet_tf.errors import optional_dependencies
from fsanet_tf.export.picture_crop import crop_faces
from fsanet_tf.export.picture_decoding import decode_picture
from fsanet_tf.export.quantization import Trial, quantize, ready_for_int8
from fsanet_tf.export.tflite_metadata import embed_metadata
from fsanet_tf.geometry.pose import ANGLE_NAMES
from fsanet_tf.io.files import write_json
from fsanet_tf.networks.card import CARD_KEY, POSE, NetworkCard
from fsanet_tf.networks.runtimes import FROZEN_INPUT, FROZEN_OUTPUT

ONNX_OPSET = 17
WARMUP_FACES = (1, 8)  # batch sizes that a server traces before its first request

Named = dict[str, tf.Tensor]
Precision = Literal["float32", "float16", "dynamic"]


def freeze(model: keras.Model, batch: int | None = None) -> tuple[Any, Callable[[tf.Tensor], Named]]:
    """Freeze the network into one concrete function with constant weights.

    Args:
        model: From `(batch, size, size, 3)` to outputs by name.
        batch: Size of the batch; None: any.

    Returns:
        The concrete function of `input_1`, float32 `(batch, size, size, 3)` BGR in [0, 255], and a function
        that calls it and returns its outputs by name. The nodes of the graph have the original's names,
        `input_1` and `pred_pose/mul_24`; further outputs have their own, such as `uncertainty_deg`.
    """
    names = list(model.output)

    @tf.function
    def predict(image):
        outputs = model(image, training=False)
        scope, pose = FROZEN_OUTPUT.split("/")
        named = []
        for name in names:
            with tf.name_scope(scope if name == POSE else ""):
                named.append(tf.identity(outputs[name], name=pose if name == POSE else name))
        return named

    spec = tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32, name=FROZEN_INPUT)
    frozen = convert_variables_to_constants_v2(predict.get_concrete_function(spec))
    return frozen, lambda image: dict(zip(names, frozen(image), strict=True))


def export_frozen_graph(model: keras.Model, path: Path, card: NetworkCard) -> None:
    """Write a `.pb` with the names of `freeze`, and the card as a constant."""
    graph_def = freeze(model)[0].graph.as_graph_def()
    text = tf.make_tensor_proto(json.dumps(card.as_json()))
    constant = graph_def.node.add(name=CARD_KEY, op="Const")
    constant.attr["dtype"].type = text.dtype
    constant.attr["value"].tensor.CopyFrom(text)
    path.write_bytes(graph_def.SerializeToString(deterministic=True))


def export_onnx(model: keras.Model, path: Path, card: NetworkCard) -> None:
    """Write an `.onnx` file: `image` `(batch, size, size, 3)` BGR in [0, 255] → the outputs by name.

    Raises:
        MissingExtraError: If tf2onnx is not installed.
    """
    with optional_dependencies():
        from tf2onnx import convert
    _, predict = freeze(model)
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")]
    function = tf.function(predict, input_signature=signature)
    proto, _ = convert.from_function(function, input_signature=signature, opset=ONNX_OPSET)
    proto.producer_name, proto.producer_version = "fsanet_tf", fsanet_tf.__version__
    proto.model_version = 1
    proto.doc_string = card.description()
    for tensor in (*proto.graph.input, *proto.graph.output):
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    proto.metadata_props.add(key=CARD_KEY, value=json.dumps(card.as_json()))
    path.write_bytes(proto.SerializeToString(deterministic=True))


def export_saved_model(model: keras.Model, path: Path, card: NetworkCard) -> None:
    """Write a SavedModel folder with named signatures, any batch size and warmup requests for a server.

    `serving_default` takes `image`, float32 `(N, size, size, 3)` BGR in [0, 255]; `serving_uint8` the
    same in uint8; `serving_image_bytes` takes `image_bytes`, `(N,)` encoded JPEG or PNG crops of any
    size. Two take a whole picture and crop by the card's rule: `serving_picture` takes `picture`, uint8
    BGR `(height, width, 3)`, and `boxes`, float32 `(N, 4)`: left, top, right, bottom of the face boxes
    in pixels; `serving_picture_bytes` takes `picture_bytes`, one encoded picture, instead. Encoded JPEGs are
    turned as their Exif data say. All return the network's outputs by name, and `yaw`, `pitch`, `roll` `(N,)`
    in degrees: NaN for a box that does not overlap the picture, and for an image with NaN. The card is in
    `assets.extra/card.json`.
    """
    _, predict = freeze(model)
    size, module = model.input_shape[1], tf.Module()

    def answers(image: tf.Tensor, valid: tf.Tensor | bool = True) -> Named:
        count = tf.shape(image)[0]
        blank = tf.zeros((1, size, size, 3))[: tf.cast(count == 0, tf.int32)]  # networks need a face
        outputs = predict(tf.concat([image, blank], 0))
        valid &= (
            tf.abs(tf.reduce_sum(image, axis=(1, 2, 3))) < np.inf
        )  # no NaN; converters know these operations
        for name, values in outputs.items():
            rows = valid[:, None] if values.shape.rank == 2 else valid
            outputs[name] = tf.where(rows, values[:count], np.nan)
        return {**outputs, **{name: outputs[POSE][:, i] for i, name in enumerate(ANGLE_NAMES)}}

    def decode_crop(encoded: tf.Tensor) -> tf.Tensor:
        return tf.image.resize(tf.cast(decode_picture(encoded), tf.float32), (size, size))

    @tf.function(input_signature=[tf.TensorSpec((None, size, size, 3), tf.float32, name="image")])
    def serving_default(image):
        return answers(image)

    @tf.function(input_signature=[tf.TensorSpec((None, size, size, 3), tf.uint8, name="image")])
    def serving_uint8(image):
        return answers(tf.cast(image, tf.float32))

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")])
    def serving_image_bytes(image_bytes):
        crop = tf.TensorSpec((size, size, 3), tf.float32)
        return answers(tf.map_fn(decode_crop, image_bytes, fn_output_signature=crop))

    boxes = tf.TensorSpec((None, 4), tf.float32, name="boxes")

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8, name="picture"), boxes])
    def serving_picture(picture, boxes):
        return answers(*crop_faces(picture, boxes, card.crop, size))

    @tf.function(input_signature=[tf.TensorSpec((), tf.string, name="picture_bytes"), boxes])
    def serving_picture_bytes(picture_bytes, boxes):
        return answers(*crop_faces(decode_picture(picture_bytes), boxes, card.crop, size))

    served = (serving_default, serving_uint8, serving_image_bytes, serving_picture, serving_picture_bytes)
    signatures = {f.__name__: f for f in served}
    for name, function in signatures.items():
        setattr(module, name, function)
    tf.saved_model.save(module, str(path), signatures=signatures)
    write_json(path / "assets.extra" / "card.json", card.as_json())
    _write_warmup_requests(path / "assets.extra" / "tf_serving_warmup_requests", size)


def _write_warmup_requests(path: Path, size: int) -> None:
    """Write the requests that TensorFlow Serving runs before it is ready."""
    with optional_dependencies():
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    face = np.zeros((size, size, 3), np.uint8)
    jpeg = tf.io.encode_jpeg(face).numpy()
    box = np.array([[0, 0, size - 1, size - 1]], np.float32)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for count in WARMUP_FACES:
            inputs: dict[str, dict[str, Any]] = {
                "serving_default": {"image": np.stack([face] * count).astype(np.float32)},
                "serving_uint8": {"image": np.stack([face] * count)},
                "serving_image_bytes": {"image_bytes": [jpeg] * count},
                "serving_picture": {"picture": face, "boxes": box.repeat(count, axis=0)},
                "serving_picture_bytes": {"picture_bytes": jpeg, "boxes": box.repeat(count, axis=0)},
            }
            for signature, tensors in inputs.items():
                request = predict_pb2.PredictRequest()
                request.model_spec.signature_name = signature
                for key, value in tensors.items():
                    request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
                log = prediction_log_pb2.PredictionLog(
                    predict_log=prediction_log_pb2.PredictLog(request=request)
                )
                writer.write(log.SerializeToString())


def export_tflite(
    model: keras.Model, path: Path, precision: Precision, card: NetworkCard, batch: int | None = 1
) -> None:
    """Write a `.tflite` of builtin operations, with the card inside.

    Args:
        model: The network.
        path: The file.
        precision: `float32`; `float16` weights; or `dynamic`: 8-bit weights, float activations.
        card: The card of the file.
        batch: Faces per call; None: any number.
    """
    path.write_bytes(embed_metadata(_convert(model, precision, batch), card))


def export_int8(
    model: keras.Model,
    path: Path,
    faces: np.ndarray,
    card: NetworkCard,
    integer_io: bool = False,
    progress: bool = False,
) -> list[Trial]:
    """Write a `.tflite` with convolutions and large dense layers in int8, for one face per call.

    Args:
        model: The network.
        path: The file.
        faces: The representative set, float32 crops `(N, size, size, 3)`.
        card: The card of the file.
        integer_io: int8 input (the pixel minus 128) and int16 outputs.
        progress: Whether to show a progress bar.

    Returns:
        The effect on the poses of each further kind of operation in int8.
    """
    content = _convert(ready_for_int8(model, faces), "float32", 1)
    content, trials = quantize(content, faces, integer_io, progress)
    path.write_bytes(embed_metadata(content, card))
    return trials


def _convert(model: keras.Model, precision: Precision, batch: int | None) -> bytes:
    _, named = freeze(model, batch)
    spec = tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32, name="image")
    with tempfile.TemporaryDirectory() as folder:
        module = tf.Module()
        module.predict = tf.function(named, input_signature=[spec])
        tf.saved_model.save(module, folder, signatures={"serving_default": module.predict})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations, converter.target_spec.supported_types = {
            "float32": ([], []),
            "float16": ([tf.lite.Optimize.DEFAULT], [tf.float16]),
            "dynamic": ([tf.lite.Optimize.DEFAULT], []),
        }[precision]
        return converter.convert()
