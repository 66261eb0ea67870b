"""Conversion of a network to SavedModel, frozen graph, ONNX and TFLite.

Every format starts from the same frozen function, whose weights are constants: no file needs this
package, and the converter can fold normalizations into convolutions.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from fsanet_tf.errors import optional_dependencies
from fsanet_tf.export.picture_crop import crop_picture, grow_boxes, is_empty
from fsanet_tf.export.quantization import Trial, quantize, ready_for_int8
from fsanet_tf.geometry.crop import LANDMARK_CROP, CropRule
from fsanet_tf.geometry.pose import ANGLE_NAMES
from fsanet_tf.io.files import replace_when_done, write_json
from fsanet_tf.networks.card import card_path, embed_card
from fsanet_tf.networks.runtimes import FROZEN_INPUT, FROZEN_OUTPUT, POSE, UNCERTAINTY

PRECISIONS = ("float32", "float16", "dynamic")
ONNX_OPSET = 17
WARMUP_FACES = (1, 8)  # batch sizes that a server traces before its first request


def frozen_function(model: keras.Model, batch: int | None = None):
    """Freeze the network into one concrete function with constant weights.

    Args:
        model: From `(batch, size, size, 3)` to `(batch, 3)`, or to the outputs of `build_served_model`.
        batch: Size of the batch; None: any.

    Returns:
        A function of `input_1`, float32 `(batch, size, size, 3)` BGR in [0, 255], that returns a list:
        the poses and, if the model predicts them, the expected errors. Its graph has the original's
        names, `input_1` and `pred_pose/mul_24`; the expected errors are `uncertainty_deg`.
    """
    size = model.input_shape[1]

    @tf.function
    def predict(image):
        outputs = model(image, training=False)
        outputs = outputs if isinstance(outputs, dict) else {POSE: outputs}
        scope, name = FROZEN_OUTPUT.split("/")
        with tf.name_scope(scope):
            named = [tf.identity(outputs[POSE], name=name)]
        if UNCERTAINTY in outputs:
            named.append(tf.identity(outputs[UNCERTAINTY], name=UNCERTAINTY))
        return named

    spec = tf.TensorSpec((batch, size, size, 3), tf.float32, name=FROZEN_INPUT)
    return convert_variables_to_constants_v2(predict.get_concrete_function(spec))


def _named_outputs(frozen, image: tf.Tensor) -> dict[str, tf.Tensor]:
    """Call a frozen function; return its outputs by name."""
    return dict(zip((POSE, UNCERTAINTY), frozen(image), strict=False))


def export_frozen_graph(model: keras.Model, path: Path) -> None:
    """Write a `.pb` with the names of `frozen_function`."""
    graph_def = frozen_function(model).graph.as_graph_def()
    with replace_when_done(path) as temporary:
        temporary.write_bytes(graph_def.SerializeToString(deterministic=True))


def export_onnx(model: keras.Model, path: Path, card: dict) -> None:
    """Write an `.onnx` file with an open batch: `image` `(N, size, size, 3)` BGR in [0, 255] → `pose`,
    `uncertainty_deg`.

    Raises:
        MissingExtraError: If tf2onnx is not installed.
    """
    with optional_dependencies():
        from tf2onnx import convert
    frozen = frozen_function(model)
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")]
    function = tf.function(lambda image: _named_outputs(frozen, image), input_signature=signature)
    proto, _ = convert.from_function(function, input_signature=signature, opset=ONNX_OPSET)
    for key, value in card.items():
        proto.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    with replace_when_done(path) as temporary:
        temporary.write_bytes(proto.SerializeToString(deterministic=True))


def export_saved_model(model: keras.Model, path: Path, card: dict) -> None:
    """Write a SavedModel folder with named signatures, any batch size and warmup requests for a server.

    `serving_default` takes `image`, float32 `(N, size, size, 3)` BGR in [0, 255]; `serving_uint8` the
    same in uint8; `serving_image_bytes` takes `image_bytes`, `(N,)` encoded JPEG or PNG crops of any
    size. Two take a whole picture and crop by the card's rule: `serving_picture` takes `picture`, uint8
    BGR `(height, width, 3)`, and `boxes`, float32 `(N, 4)`: left, top, right, bottom of the landmark boxes
    in pixels; `serving_picture_bytes` takes `picture_bytes`, one encoded picture, instead. A box outside
    the picture yields NaN. All return `pose` `(N, 3)` and `yaw`, `pitch`, `roll` `(N,)` in degrees, those
    of a calibrated fusion `uncertainty_deg` `(N,)` as well. The card is in `assets.extra/card.json`.
    """
    frozen, size, module = frozen_function(model), model.input_shape[1], tf.Module()

    def answers(image: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = _named_outputs(frozen, image)
        return {**outputs, **{name: outputs[POSE][:, i] for i, name in enumerate(ANGLE_NAMES)}}

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

    rule = CropRule(card.get("margin_ratio", LANDMARK_CROP.margin_ratio), card.get("square", False))
    boxes = tf.TensorSpec((None, 4), tf.float32, name="boxes")

    def answers_in_picture(picture: tf.Tensor, boxes: tf.Tensor) -> dict[str, tf.Tensor]:
        shape = tf.shape(picture)
        grown = grow_boxes(boxes, rule, shape[0], shape[1])
        poses, empty = answers(crop_picture(picture, grown, size)), is_empty(grown)
        return {
            name: tf.where(empty[:, None] if values.shape.rank == 2 else empty, np.nan, values)
            for name, values in poses.items()
        }

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8, name="picture"), boxes])
    def serving_picture(picture, boxes):
        return answers_in_picture(picture, boxes)

    @tf.function(input_signature=[tf.TensorSpec((), tf.string, name="picture_bytes"), boxes])
    def serving_picture_bytes(picture_bytes, boxes):
        rgb = tf.io.decode_image(picture_bytes, channels=3, expand_animations=False)
        return answers_in_picture(rgb[..., ::-1], boxes)

    served = (
        serving_default,
        serving_uint8,
        serving_image_bytes,
        serving_picture,
        serving_picture_bytes,
    )
    signatures = {f.__name__: f for f in served}
    for name, function in signatures.items():
        setattr(module, name, function)
    with replace_when_done(path) as temporary:
        tf.saved_model.save(module, str(temporary), signatures=signatures)
        write_json(card_path(temporary), card)
        _write_warmup_requests(temporary / "assets.extra" / "tf_serving_warmup_requests", size)


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


def export_tflite(model: keras.Model, path: Path, precision: str, card: dict, batch: int | None = 1) -> None:
    """Write a `.tflite` of builtin operations, with the card inside.

    Args:
        model: The network.
        path: The file.
        precision: `float32`; `float16` weights; or `dynamic`: 8-bit weights, float activations.
        card: The card of the file.
        batch: Faces per call; None: any number.

    Raises:
        ValueError: If the precision is unknown.
    """
    content = _convert(model, precision, batch)
    with replace_when_done(path) as temporary:
        temporary.write_bytes(embed_card(content, card))


def export_int8(
    model: keras.Model, path: Path, faces: np.ndarray, card: dict, integer_io: bool = False
) -> list[Trial]:
    """Write a `.tflite` with convolutions and large dense layers in int8, for one face per call.

    Args:
        model: The network.
        path: The file.
        faces: The representative set, float32 crops `(N, size, size, 3)`.
        card: The card of the file.
        integer_io: int8 input (the pixel minus 128) and int16 output, for microcontrollers.

    Returns:
        The effect on the poses of each further kind of operation in int8.
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
        return _named_outputs(frozen, image)

    with tempfile.TemporaryDirectory() as folder:
        module = tf.Module()
        module.predict = predict
        tf.saved_model.save(module, folder, signatures={"serving_default": predict})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()
