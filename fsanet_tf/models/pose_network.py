"""A network as a Keras model: named outputs, and a file that contains its architecture and its card."""

from typing import Any

import keras

import fsanet_tf.layers  # noqa: F401  this module is all that Keras needs to read a network's file
from fsanet_tf.models.config import config_from_dict, config_to_dict
from fsanet_tf.networks.card import POSE, UNCERTAINTY


@keras.saving.register_keras_serializable(package="fsanet_tf")
class PoseNetwork(keras.Model):
    """A functional model from `image` `(batch, size, size, 3)` to named outputs, `pose` among them.

    Args:
        inputs: The image.
        outputs: Outputs by name; a single tensor, as in files of version 0.3, is the pose.
        name: Name of the model.
        architecture: The configuration that it was built from, or its fields; None if there is none.
        card: The card of its file, as JSON represents it (see `NetworkCard`).

    Attributes:
        architecture, card: As given.
    """

    def __init__(self, inputs, outputs, name=None, **kwargs):
        architecture, card = kwargs.pop("architecture", None), kwargs.pop("card", None)
        named = outputs if isinstance(outputs, dict) else {POSE: outputs}
        super().__init__(inputs=inputs, outputs=named, name=name, **kwargs)
        self.architecture = config_from_dict(architecture) if isinstance(architecture, dict) else architecture
        self.card: dict[str, Any] | None = card

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Compute the loss; that of `uncertainty_deg` gets the predicted pose as well, `(batch, 4)`."""
        if UNCERTAINTY in y_pred:
            pose = keras.ops.stop_gradient(y_pred[POSE])
            error = keras.ops.concatenate([pose, y_pred[UNCERTAINTY][:, None]], axis=1)
            y_pred = {**y_pred, UNCERTAINTY: error}
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def get_config(self):
        architecture = None if self.architecture is None else config_to_dict(self.architecture)
        return {**super().get_config(), "architecture": architecture, "card": self.card}
