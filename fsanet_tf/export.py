"""Networks as files for those who serve them: SavedModel, frozen graph, TFLite.

Every format starts from the same frozen function, whose weights are constants: none of the files needs
this package, and the converter finds normalisations to fold into convolutions.
"""

import tempfile
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from fsanet_tf.files import replace_when_done
from fsanet_tf.pose import ANGLE_NAMES

PRECISIONS = ("float32", "float16", "dynamic")


def frozen_function(model: keras.Model, batch: int | None = None):
    """The network as one concrete function with constant weights.

    Args:
        model: from `(batch, size, size, 3)` to `(batch, 3)`.
        batch: size of the batch; None leaves it open.

    Returns:
        A function of `input_1`, float32 `(batch, size, size, 3)` BGR in [0, 255], that gives a list
        with the poses; its graph has the original's names `input_1` and `pred_pose/...`.
    """
    size = model.input_shape[1]

    @tf.function
    def predict(image):
        with tf.name_scope("pred_pose"):
            return tf.identity(model(image, training=False), name="pose")

    spec = tf.TensorSpec((batch, size, size, 3), tf.float32, name="input_1")
    return convert_variables_to_constants_v2(predict.get_concrete_function(spec))


def export_frozen_graph(model: keras.Model, path: Path) -> None:
    """Write a `.pb` for those who feed the original's: input `input_1`, output `pred_pose/pose`."""
    graph_def = frozen_function(model).graph.as_graph_def()
    with replace_when_done(path) as temporary:
        temporary.write_bytes(graph_def.SerializeToString(deterministic=True))


def export_saved_model(model: keras.Model, path: Path) -> None:
    """Write a SavedModel folder with named signatures and an open batch.

    `serving_default` takes `image`, float32 `(N, size, size, 3)` BGR in [0, 255];
    `serving_image_bytes` takes `image_bytes`, `(N,)` encoded JPEG or PNG crops of any size. Both give
    `pose` `(N, 3)` and `yaw`, `pitch`, `roll` `(N,)` in degrees.
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

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")])
    def serving_image_bytes(image_bytes):
        crops = tf.map_fn(decode, image_bytes, fn_output_signature=tf.float32)
        return answers(tf.ensure_shape(crops, (None, size, size, 3)))

    module.serving_default, module.serving_image_bytes = serving_default, serving_image_bytes
    signatures = {"serving_default": serving_default, "serving_image_bytes": serving_image_bytes}
    with replace_when_done(path) as temporary:
        tf.saved_model.save(module, str(temporary), signatures=signatures)


def export_tflite(model: keras.Model, path: Path, precision: str, batch: int | None = 1) -> None:
    """Write a `.tflite` of builtin operations.

    Args:
        model: the network.
        path: the file.
        precision: `float32`; `float16` weights; or `dynamic`: 8-bit weights, activations as they come.
        batch: faces a call; None leaves it open.

    Raises:
        ValueError: unknown precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}. Received: {precision}")
    frozen = frozen_function(model, batch)

    @tf.function(input_signature=[tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32, name="image")])
    def predict(image):
        return {"pose": frozen(image)[0]}

    with tempfile.TemporaryDirectory() as folder:
        module = tf.Module()
        module.predict = predict
        tf.saved_model.save(module, folder, signatures={"serving_default": predict})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        content = converter.convert()
    with replace_when_done(path) as temporary:
        temporary.write_bytes(content)
