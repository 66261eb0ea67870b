"""The training recipe: losses, metrics, learning rate schedules, and a network compiled with them."""

import math
from contextlib import AbstractContextManager
from typing import Any

import keras
from keras import ops

from fsanet_tf.geometry.pose import rotation_matrices
from fsanet_tf.networks.card import BOX_OFFSET, FACE_SCORE, POSE, UNCERTAINTY
from fsanet_tf.registry import import_thing
from fsanet_tf.training.config import LOSSES, METRICS, OPTIMIZERS, SCHEDULES, TrainingConfig

ALWAYS_LOGGED = ("mae", "geodesic")
# The loss of the pose is in degrees; the others are brought to about a tenth of it.
LOSS_WEIGHTS = {POSE: 1.0, UNCERTAINTY: 0.2, BOX_OFFSET: 20.0, FACE_SCORE: 1.0}
MIN_UNCERTAINTY_DEG = 1e-2


def geodesic_angles(y_true: Any, y_pred: Any) -> Any:
    """Compute the angle of the rotation between poses `(batch, 3)` in degrees, `(batch,)`."""
    true, predicted = (rotation_matrices(ops.cast(poses, "float32"), ops) for poses in (y_true, y_pred))
    difference = true - predicted  # (batch, 3, 3)
    squared_chord = ops.sum(ops.square(difference), axis=(-2, -1))
    # |R − R'|² = 8 sin²(angle / 2). The clip keeps the arcsine's gradient finite at half a turn.
    half_sine = ops.sqrt(ops.clip(squared_chord / 8.0, 1e-8, 0.999))
    return 2 * ops.arcsin(half_sine) * (180.0 / math.pi)


@keras.saving.register_keras_serializable(package="fsanet_tf")
class GeodesicLoss(keras.losses.Loss):
    """Angle of the rotation between the true and the predicted pose, in degrees.

    Unlike the mean absolute error it does not penalize angles that differ but describe nearly the same
    rotation, as happens near profile.
    """

    def call(self, y_true, y_pred):
        return geodesic_angles(y_true, y_pred)


@keras.saving.register_keras_serializable(package="fsanet_tf")
class AngleAndGeodesicLoss(keras.losses.Loss):
    """Mean of the mean absolute error of the angles and of the geodesic angle, in degrees."""

    def call(self, y_true, y_pred):
        absolute = ops.mean(ops.abs(y_true - y_pred), axis=-1)
        return 0.5 * (absolute + geodesic_angles(y_true, y_pred))


@keras.saving.register_keras_serializable(package="fsanet_tf")
class ExpectedErrorLoss(keras.losses.Loss):
    """Negative log-likelihood of the geodesic error, exponentially distributed around its expectation.

    `y_true` is the pose `(batch, 3)`, `y_pred` the predicted pose, without gradient, and its expected error
    in degrees `(batch, 4)`. The loss is lowest where the expectation equals the mean error.
    """

    def call(self, y_true, y_pred):
        error = ops.stop_gradient(geodesic_angles(y_true, y_pred[:, :3]))
        expected = ops.maximum(y_pred[:, 3], MIN_UNCERTAINTY_DEG)
        return ops.log(expected) + error / expected


@keras.saving.register_keras_serializable(package="fsanet_tf")
class FaceScoreLoss(keras.losses.Loss):
    """Binary cross-entropy of probabilities `(batch,)`."""

    def call(self, y_true, y_pred):
        return ops.binary_crossentropy(y_true, y_pred)


def make_losses(config: TrainingConfig) -> dict[str, keras.losses.Loss]:
    """Make the loss of each output of the network that a configuration trains.

    Args:
        config: The run.

    Returns:
        Losses by the names of the outputs; `LOSS_WEIGHTS` has their weights.

    Example:
        >>> config = fsanet_tf.TrainingConfig(data="faces.npz", output_dir="run", localize=True)
        >>> list(make_losses(config))
        ['pose', 'box_offset', 'face_score']
    """
    losses = {POSE: _made(LOSSES.find(config.loss), keras.losses.Loss)}
    architecture = config.architecture()
    if getattr(architecture, "uncertainty", False):
        losses[UNCERTAINTY] = ExpectedErrorLoss()
    if getattr(architecture, "localize", False):
        losses |= {BOX_OFFSET: keras.losses.MeanAbsoluteError(), FACE_SCORE: FaceScoreLoss()}
    return losses


def make_metrics(config: TrainingConfig) -> list[keras.metrics.Metric]:
    """Make the metrics of the pose: mean absolute error, geodesic error, and what the configuration adds."""
    metrics = {}
    for choice in (*ALWAYS_LOGGED, *config.metrics):
        metric = _made(METRICS.find(choice), keras.metrics.Metric)
        if isinstance(choice, str):
            metric.name = choice
        metrics[metric.name] = metric
    return list(metrics.values())


def _made(thing: Any, kind: type) -> Any:
    """Return an object of a kind: the thing itself, or what it makes."""
    return thing if isinstance(thing, kind) else thing()


def make_geodesic_metric() -> keras.metrics.Metric:
    """Make the metric of the geodesic error in degrees."""
    return keras.metrics.MeanMetricWrapper(geodesic_angles, name="geodesic")


def compile_network(model: keras.Model, config: TrainingConfig, steps_per_epoch: int) -> None:
    """Give a network the losses, metrics, optimizer and schedule of a configuration."""
    rate = import_thing(SCHEDULES[config.schedule])(
        config.learning_rate, config.epochs, config.warmup_epochs, steps_per_epoch
    )
    options: dict[str, Any] = {"use_ema": True, "ema_momentum": config.ema} if config.ema else {}
    if config.optimizer == "adamw":
        options["weight_decay"] = config.weight_decay
    losses = make_losses(config)
    # A crop without a face has no pose: where there are such crops, weights leave them out of the metrics.
    metrics = "weighted_metrics" if FACE_SCORE in losses else "metrics"
    model.compile(
        optimizer=import_thing(OPTIMIZERS[config.optimizer])(rate, **options),
        loss=losses,
        loss_weights={name: LOSS_WEIGHTS[name] for name in losses},
        **{metrics: {POSE: make_metrics(config)}},
        jit_compile=_default_jit_compile() if config.jit_compile is None else config.jit_compile,
    )
    model.optimizer.build(model.trainable_variables)


def _default_jit_compile() -> bool | str:
    """XLA where Keras can use it, but for processors, on which TensorFlow's step is 4 to 6 times slower."""
    if keras.backend.backend() != "tensorflow":
        return "auto"
    import tensorflow as tf

    return "auto" if tf.config.list_physical_devices("GPU") else False


def step_schedule(peak: float, epochs: int, warmup_epochs: int, steps_per_epoch: int) -> Any:
    """The paper's schedule: ×0.1 after a third and two thirds of the epochs (30 and 60 of 90).

    Each rate lasts an epoch at least.
    """
    boundaries = [max(third, epochs * third // 3) * steps_per_epoch for third in (1, 2)]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, [peak, peak * 0.1, peak * 0.01])


def cosine_schedule(peak: float, epochs: int, warmup_epochs: int, steps_per_epoch: int) -> Any:
    """Linear warmup, then half a cosine down to zero."""
    warmup = max(1, warmup_epochs * steps_per_epoch)  # its last step has the peak
    return keras.optimizers.schedules.CosineDecay(
        peak / warmup,
        max(1, epochs * steps_per_epoch - warmup + 1),
        warmup_target=peak,
        warmup_steps=warmup - 1,
    )


def mirrored_scope() -> AbstractContextManager:
    """Train on all devices of the machine, each with a share of the batch."""
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices()
    return tf.distribute.MirroredStrategy(devices).scope()
