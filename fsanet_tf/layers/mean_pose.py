"""The mean pose of a fusion's members, which may be trained as one network."""

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable(package="fsanet_tf")
class MeanPose(layers.Average):
    """Average the members' poses; in training, keep the members near their mean.

    Trained on the mean alone, members share the work and lose accuracy on their own. With the penalty,
    the loss is somewhere between that and training each member alone.

    Args:
        spread_penalty: Weight of the members' mean absolute distance from their mean, in degrees, in the
            training loss.

    Input shape:
        Several `(batch, 3)`.

    Output shape:
        `(batch, 3)`.

    Raises:
        ValueError: If `spread_penalty` is negative.

    Reference:
        Webb et al., To Ensemble or Not Ensemble: When Does End-to-End Training Fail?, ECML 2020.
    """

    def __init__(self, spread_penalty: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        if spread_penalty < 0:
            raise ValueError(f"spread_penalty must not be negative. Received: {spread_penalty}")
        self.spread_penalty = spread_penalty

    def call(self, inputs, training=None):
        mean = super().call(inputs)
        if training and self.spread_penalty:
            self.add_loss(self.spread_penalty * ops.mean(ops.abs(ops.stack(inputs) - mean)))
        return mean

    def get_config(self):
        return {**super().get_config(), "spread_penalty": self.spread_penalty}
