"""What a training run can be told: one place for its defaults, without importing TensorFlow."""

import dataclasses

from fsanet_tf.data.augmentation_config import AugmentationConfig

OPTIMIZERS = ("adam", "adamw")
SCHEDULES = ("step", "cosine")
LOSSES = ("mae", "geodesic")
DISTRIBUTIONS = ("none", "mirrored")


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """A whole run; the defaults are the paper's recipe for 300W-LP (protocol 1).

    Attributes:
        data: `.npz` files, joined; or one index of TFRecord shards, `NAME.tfrecords.json`.
        validation_data: `.npz` files to validate on; empty: a random share of `data`.
        variant: a name of `fsanet_tf.config.VARIANTS`.
        image_size: side of the network's input in pixels.
        protocol: 1 leaves out faces with an angle above 99°, 2 keeps all.
        validation_fraction: share of `data` held out, where `validation_data` is empty.
        batch_size, epochs, learning_rate, schedule, warmup_epochs, optimizer, weight_decay, loss:
            the recipe; `schedule` `step` multiplies the rate by 0.1 after each third of the epochs.
        ema: momentum of the weights' moving average, which is then what is validated and kept; 0: none.
        init_weights: weight file to start from; layers of equal name and shape take its weights.
        mixed_precision: compute in 16 bits where it is safe; the regression stays in 32.
        distribution: `none`, or `mirrored` over all devices.
        save_every: steps between checkpoints within an epoch; 0: at the end of each epoch only.
        seed: of the initial weights, the split, the order and the augmentation.
        augmentation: see `AugmentationConfig`.
    """

    data: tuple[str, ...]
    validation_data: tuple[str, ...] = ()
    variant: str = "fsanet_1x1_capsule"
    image_size: int = 64
    protocol: int = 1
    validation_fraction: float = 0.2
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
