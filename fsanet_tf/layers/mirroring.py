"""Layers that predict mirrored images too and undo it on the poses."""

import keras
from keras import layers, ops

from fsanet_tf.geometry.pose import MIRROR_SIGNS


@keras.saving.register_keras_serializable(package="fsanet_tf")
class AppendMirrored(layers.Layer):
    """Append the mirrored images to a batch: `(batch, size, size, 3)` to `(2 · batch, size, size, 3)`."""

    def call(self, images):
        return ops.concatenate([images, ops.flip(images, axis=2)])


@keras.saving.register_keras_serializable(package="fsanet_tf")
class SplitMirrored(layers.Layer):
    """Split the poses of `AppendMirrored` images: `(2 · batch, 3)` to two of `(batch, 3)`, in degrees.

    The second is what the mirrored images say about the images.
    """

    def call(self, poses):
        own, mirrored = ops.split(poses, 2)
        return own, mirrored * ops.array(MIRROR_SIGNS, poses.dtype)
