"""The training recipe: learning rate schedules, optimizers and losses."""

import math
from typing import Any

import keras
from keras import ops

from fsanet_tf.geometry.pose import rotation_matrices


@keras.saving.register_keras_serializable(package="fsanet_tf")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate schedule: linear warmup from zero, then half a cosine down to zero.

    Args:
        peak: Learning rate at the end of the warmup.
        warmup_steps: Steps of the warmup.
        total_steps: Steps of the whole training.
    """

    def __init__(self, peak: float, warmup_steps: int, total_steps: int):
        self.peak = peak
        self.warmup_steps = warmup_steps
        self.total_steps = total_steps

    def __call__(self, step):
        step = ops.cast(step, "float32")
        warmup = (step + 1) / max(self.warmup_steps, 1)
        progress = (step - self.warmup_steps) / max(self.total_steps - self.warmup_steps, 1)
        cosine = 0.5 * (1 + ops.cos(math.pi * ops.clip(progress, 0.0, 1.0)))
        return self.peak * ops.where(step < self.warmup_steps, warmup, cosine)

    def get_config(self):
        return {"peak": self.peak, "warmup_steps": self.warmup_steps, "total_steps": self.total_steps}


@keras.saving.register_keras_serializable(package="fsanet_tf")
class GeodesicLoss(keras.losses.Loss):
    """Angle of the rotation between the true and the predicted pose, in degrees.

    Unlike the mean absolute error it does not penalize angles that differ but describe nearly the same
    rotation, as happens near profile.
    """

    def call(self, y_true, y_pred):
        difference = rotation_matrices(y_true, ops) - rotation_matrices(y_pred, ops)  # (batch, 3, 3)
        squared_chord = ops.sum(ops.square(difference), axis=(-2, -1))
        # |R − R'|² = 8 sin²(angle / 2). The clip keeps the arcsine's gradient finite at half a turn.
        half_sine = ops.sqrt(ops.clip(squared_chord / 8.0, 1e-8, 0.999))
        return 2 * ops.arcsin(half_sine) * (180.0 / math.pi)


@keras.saving.register_keras_serializable(package="fsanet_tf")
class AngleAndGeodesicLoss(GeodesicLoss):
    """Mean of the mean absolute error of the angles and of the geodesic angle, in degrees."""

    def call(self, y_true, y_pred):
        absolute = ops.mean(ops.abs(y_true - y_pred), axis=-1)
        return 0.5 * (absolute + super().call(y_true, y_pred))


def step_schedule(peak: float, epochs: int, warmup_epochs: int, steps_per_epoch: int) -> Any:
    """The paper's schedule: ×0.1 after a third and two thirds of the epochs (30 and 60 of 90)."""
    boundaries = [epochs * third // 3 * steps_per_epoch for third in (1, 2)]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, [peak, peak * 0.1, peak * 0.01])


def cosine_schedule(peak: float, epochs: int, warmup_epochs: int, steps_per_epoch: int) -> Any:
    """Linear warmup, then half a cosine down to zero."""
    return WarmupCosine(peak, warmup_epochs * steps_per_epoch, epochs * steps_per_epoch)


def make_adam(rate: Any, weight_decay: float, **average: Any) -> keras.optimizers.Optimizer:
    """Adam, without weight decay."""
    return keras.optimizers.Adam(rate, **average)


def make_adamw(rate: Any, weight_decay: float, **average: Any) -> keras.optimizers.Optimizer:
    """Adam with decoupled weight decay."""
    return keras.optimizers.AdamW(rate, weight_decay=weight_decay, **average)
