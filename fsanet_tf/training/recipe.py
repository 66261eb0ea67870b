"""The training recipe: learning-rate schedules, optimisers and losses, by name."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="fsanet_tf")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from zero, then half a cosine down to zero.

    Args:
        peak: learning rate at the end of the warm-up.
        warmup_steps: steps of the warm-up.
        total_steps: steps of the whole training.
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

    Unlike the mean absolute error it does not punish yaw, pitch and roll that differ but describe
    nearly one rotation, as happens near profile.
    """

    def call(self, y_true, y_pred):
        true, predicted = _rotation_columns(y_true), _rotation_columns(y_pred)
        squared_chord = sum(ops.sum(ops.square(a - b), -1) for a, b in zip(true, predicted, strict=True))
        # |R − R'|² = 8 sin²(angle / 2). The clip keeps the arcsine's gradient finite at half a turn.
        half_sine = ops.sqrt(ops.clip(squared_chord / 8.0, 1e-8, 0.999))
        return 2 * ops.arcsin(half_sine) * (180.0 / math.pi)


def _rotation_columns(poses_deg):
    """Columns of the rotations of `fsanet_tf.pose.rotation_matrices`, three of `(batch, 3)`."""
    yaw, pitch, roll = (poses_deg[:, i] * (math.pi / 180.0) for i in range(3))
    sy, cy, sp, cp = ops.sin(-yaw), ops.cos(yaw), ops.sin(pitch), ops.cos(pitch)
    sr, cr = ops.sin(roll), ops.cos(roll)
    return (
        ops.stack([cy * cr, cp * sr + cr * sp * sy, sp * sr - cp * cr * sy], -1),
        ops.stack([-cy * sr, cp * cr - sp * sy * sr, sp * cr + cp * sy * sr], -1),
        ops.stack([sy, -cy * sp, cy * cp], -1),
    )


def learning_rate(schedule: str, peak: float, epochs: int, warmup_epochs: int, steps_per_epoch: int):
    """`step`: the paper's ×0.1 after a third and two thirds of the epochs (30 and 60 of 90); or `cosine`."""
    if schedule == "cosine":
        return WarmupCosine(peak, warmup_epochs * steps_per_epoch, epochs * steps_per_epoch)
    boundaries = [epochs * third // 3 * steps_per_epoch for third in (1, 2)]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, [peak, peak * 0.1, peak * 0.01])


def optimizer(name: str, rate, weight_decay: float, ema: float) -> keras.optimizers.Optimizer:
    """Adam or AdamW; `ema` above zero keeps that moving average of the weights."""
    average = {"use_ema": True, "ema_momentum": ema} if ema else {}
    if name == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=weight_decay, **average)
    return keras.optimizers.Adam(rate, **average)


def loss(name: str) -> keras.losses.Loss:
    """`mae`, the paper's, or `geodesic`."""
    return GeodesicLoss() if name == "geodesic" else keras.losses.MeanAbsoluteError()
