"""Batch normalization that trains with TensorFlow's fused kernel if there is one."""

import keras


@keras.saving.register_keras_serializable(package="fsanet_tf")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` of channels-last images, faster to train on TensorFlow.

    Keras 3 normalizes with separate operations; the fused kernel reads the activations once. On two CPU
    cores that is a third of a training step of FSA-Net. Weights, inference and other backends are
    Keras's own. The moving variance gets the population variance, as Keras's.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        The same.
    """

    def call(self, inputs, training=None, mask=None):
        if not training or not self.trainable or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.cast(self.gamma, tf.float32),
            offset=tf.cast(self.beta, tf.float32),
            mean=tf.zeros((0,)),
            variance=tf.zeros((0,)),
            epsilon=self.epsilon,
            is_training=True,
        )
        # The kernel returns the sample variance; the moving one is the population's.
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], tf.float32)
        variance *= (count - 1.0) / count
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + tf.cast(batch, moving.dtype) * (1.0 - self.momentum))
        return outputs
