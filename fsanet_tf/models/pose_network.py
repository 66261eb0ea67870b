"""A network that knows what it is: the configuration it was built from is saved with it."""

import keras

import fsanet_tf.layers  # noqa: F401  this module is all that Keras needs to read a network's file
from fsanet_tf.models.config import (
    FSANetConfig,
    SSRNetConfig,
    config_from_dict,
    config_to_dict,
    variants,
)


@keras.saving.register_keras_serializable(package="fsanet_tf")
class PoseNetwork(keras.Model):
    """A functional model from `(batch, size, size, 3)` to poses `(batch, 3)`, with its configuration.

    Args:
        inputs, outputs, name: As of `keras.Model`.
        architecture: The configuration, or its fields as `config_to_dict` represents them.

    Attributes:
        architecture: The configuration.
    """

    def __init__(self, inputs, outputs, name=None, **kwargs):
        architecture = kwargs.pop("architecture", None)
        super().__init__(inputs=inputs, outputs=outputs, name=name, **kwargs)
        self.architecture = config_from_dict(architecture) if isinstance(architecture, dict) else architecture

    def get_config(self):
        return {**super().get_config(), "architecture": config_to_dict(self.architecture)}


def architecture_of(model: keras.Model) -> FSANetConfig | SSRNetConfig | None:
    """Return the configuration of a single network; None if it is another model.

    Files of earlier versions contain no configuration: there, the name is that of a variant.
    """
    config = getattr(model, "architecture", None) or variants().get(model.name)
    return config if isinstance(config, FSANetConfig | SSRNetConfig) else None
