"""Configuration of a training run: the one place for its defaults, without importing TensorFlow."""

import dataclasses

from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG
from fsanet_tf.registry import Registry

__all__ = ["TrainingConfig"]

OPTIMIZERS = Registry(
    "optimizer",
    {
        "adam": "fsanet_tf.training.recipe:make_adam",
        "adamw": "fsanet_tf.training.recipe:make_adamw",
    },
)
SCHEDULES = Registry(
    "schedule",
    {
        "step": "fsanet_tf.training.recipe:step_schedule",
        "cosine": "fsanet_tf.training.recipe:cosine_schedule",
    },
)
LOSSES = Registry(
    "loss",
    {
        "mae": "keras.losses:MeanAbsoluteError",
        "geodesic": "fsanet_tf.training.recipe:GeodesicLoss",
        "mae_geodesic": "fsanet_tf.training.recipe:AngleAndGeodesicLoss",
    },
)
DISTRIBUTIONS = Registry(
    "distribution",
    {
        "none": "fsanet_tf.training.distributions:no_distribution",
        "mirrored": "fsanet_tf.training.distributions:mirrored_distribution",
    },
)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """A whole training run; the defaults are the paper's recipe for 300W-LP.

    Attributes:
        data: `.npz` files, joined; or one index of TFRecord shards, `NAME.tfrecords.json`.
        validation_data: `.npz` files to validate on; empty: a random share of `data`.
        variant: A name of `fsanet_tf.list_variants()`.
        image_size: Side of the network's input in pixels.
        max_angle_deg: Leave out faces with a larger angle; 0 keeps all. The paper: 99.
        margin_ratio: Common margin that crops of larger margins are cut to; None: their own.
        validation_fraction: Share of `data` held out if `validation_data` is empty; groups stay together.
        fold: Which such share is held out, for cross-validation: 0, 1, …
        batch_size: Faces per step. The paper: 16 for 300W-LP, 8 for BIWI.
        epochs: Passes over the data.
        learning_rate: Peak learning rate.
        schedule: `step` multiplies the rate by 0.1 after each third of the epochs; or `cosine`.
        warmup_epochs: Epochs of linear warmup of the cosine schedule.
        optimizer: `adam` or `adamw`.
        weight_decay: Weight decay of AdamW.
        loss: `mae` of the angles, `geodesic` angle of the rotation, or `mae_geodesic`, their mean.
        ema: Momentum of an exponential moving average of the weights, which is then validated and
            saved; 0: none.
        init_weights: Network to start from; layers of equal name and shape take its weights.
        mixed_precision: Compute in 16 bits where that is safe; the regression stays in 32.
        distribution: `none`, or `mirrored` over all devices of the machine.
        save_every: Steps between checkpoints within an epoch; 0: only at the end of each epoch.
        seed: Random seed of initial weights, order and augmentation; the split is always the same.
        augmentation: See `AugmentationConfig`.

    Example:
        >>> fsanet_tf.TrainingConfig(data=("faces.npz",), epochs=10).learning_rate
        0.001
    """

    data: tuple[str, ...]
    validation_data: tuple[str, ...] = ()
    variant: str = "fsanet_1x1_capsule"
    image_size: int = 64
    max_angle_deg: float = MAX_ANGLE_DEG
    margin_ratio: float | None = None
    validation_fraction: float = 0.2
    fold: int = 0
    batch_size: int = 16
    epochs: int = 90
    learning_rate: float = 1e-3
    schedule: str = "step"
    warmup_epochs: int = 0
    optimizer: str = "adam"
    weight_decay: float = 0.0
    loss: str = "mae"
    ema: float = 0.0
    init_weights: str = ""
    mixed_precision: bool = False
    distribution: str = "none"
    save_every: int = 0
    seed: int = 0
    augmentation: AugmentationConfig = dataclasses.field(default_factory=AugmentationConfig)

    def __post_init__(self):
        if self.fold < 0 or (self.fold + 1) * self.validation_fraction > 1 + 1e-9:
            raise ValueError(
                f"fold must be 0 or more and below 1 / validation_fraction. Received: {self.fold}"
            )
        OPTIMIZERS.require(self.optimizer)
        SCHEDULES.require(self.schedule)
        LOSSES.require(self.loss)
        DISTRIBUTIONS.require(self.distribution)
