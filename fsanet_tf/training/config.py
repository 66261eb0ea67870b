"""Configuration of a training run, without importing TensorFlow."""

from typing import Any

from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.errors import OptionError
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG
from fsanet_tf.models.config import FSANetConfig, VariantConfig, list_variants, variant_config
from fsanet_tf.options import configuration, option, same_option
from fsanet_tf.registry import Registry

__all__ = ["TrainingConfig"]

# Things that make a `keras.losses.Loss` and a `keras.metrics.Metric` of poses in degrees.
LOSSES = Registry(
    "loss",
    {
        "mae": "keras.losses:MeanAbsoluteError",
        "geodesic": "fsanet_tf.training.recipe:GeodesicLoss",
        "mae_geodesic": "fsanet_tf.training.recipe:AngleAndGeodesicLoss",
    },
)
METRICS = Registry(
    "metric",
    {"mae": "keras.metrics:MeanAbsoluteError", "geodesic": "fsanet_tf.training.recipe:make_geodesic_metric"},
)
# Choices that are not extended, by the address of what they stand for.
OPTIMIZERS = {"adam": "keras.optimizers:Adam", "adamw": "keras.optimizers:AdamW"}
SCHEDULES = {
    "step": "fsanet_tf.training.recipe:step_schedule",
    "cosine": "fsanet_tf.training.recipe:cosine_schedule",
}
DISTRIBUTIONS = {"none": "contextlib:nullcontext", "mirrored": "fsanet_tf.training.recipe:mirrored_scope"}

ARCHITECTURE = ("image_size", "width", "head", "representation", "uncertainty", "localize")  # of FSANetConfig


@configuration
class TrainingConfig:
    """A whole training run; the defaults are the paper's recipe for 300W-LP.

    Raises:
        OptionError: If an option is invalid, or two contradict each other.

    Example:
        >>> fsanet_tf.TrainingConfig(data="faces.npz", output_dir="run", epochs=10).learning_rate
        0.001
    """

    data: tuple[str, ...] = option(meaning="Training faces: `.npz` files, joined.")
    output_dir: str = option(meaning="Working directory; the same configuration resumes a run there.")
    validation_data: tuple[str, ...] = option(
        (), "Validation faces: `.npz` files; by default a random share of `data`."
    )
    variant: Any = option(
        "fsanet_1x1_capsule",
        "The network's architecture; in Python also a configuration such as `FSANetConfig`.",
        choices=list_variants,
    )
    image_size: int = same_option(FSANetConfig, "image_size")
    width: float = same_option(FSANetConfig, "width")
    head: Any = same_option(FSANetConfig, "head")
    representation: Any = same_option(FSANetConfig, "representation")
    uncertainty: bool = same_option(FSANetConfig, "uncertainty")
    localize: bool = same_option(FSANetConfig, "localize")
    max_angle_deg: float = option(
        MAX_ANGLE_DEG, "Leave out faces with a larger angle; 0 keeps all. The paper: 99.", low=0.0
    )
    margin_ratio: float | None = option(
        None,
        "Common margin to which crops of larger margins are cut; by default each keeps its own. Crops "
        "without a stored margin (the original's files: 0.6, BIWI 0.4) are taken to have this one.",
        low=0.0,
    )
    square: bool = option(False, "Whether crops without a stored rule were cut as squares.")
    validation_fraction: float = option(
        0.2, "Share of `data` held out without `validation_data`; groups stay together.", low=0.0, high=0.9
    )
    fold: int = option(0, "Number of the held-out share, for cross-validation: 0, 1, …", low=0)
    batch_size: int = option(16, "Faces per step. The paper: 16 for 300W-LP, 8 for BIWI.", low=1)
    epochs: int = option(90, "Passes over the data.", low=1)
    learning_rate: float = option(1e-3, "Peak learning rate.", low=0.0)
    schedule: str = option(
        "step",
        "`step` multiplies the learning rate by 0.1 after each third of the epochs; or `cosine`.",
        choices=tuple(SCHEDULES),
    )
    warmup_epochs: int = option(0, "Epochs of linear warmup of the cosine schedule.", low=0)
    optimizer: str = option("adam", "Optimizer.", choices=tuple(OPTIMIZERS))
    weight_decay: float = option(0.0, "Weight decay of AdamW.", low=0.0)
    loss: Any = option(
        "mae",
        "`mae` of the angles, `geodesic` angle of the rotation, or `mae_geodesic`, their mean.",
        choices=LOSSES,
    )
    metrics: tuple[Any, ...] = option((), "Further metrics of the pose for the log.", choices=METRICS)
    ema: float = option(
        0.0,
        "Momentum of a moving average of the weights, which is then validated and saved; 0: none.",
        low=0.0,
        high=0.99999,
    )
    init_network: str = option("", "Network to start from: a file or a shipped name.")
    partial_init: bool = option(
        False, "Allow `init_network` to lack weights of the variant; these are initialized randomly."
    )
    mixed_precision: bool = option(
        False, "Compute in 16 bits where it is safe (on GPUs); the regression stays in 32 bits."
    )
    jit_compile: bool | None = option(
        None, "Compile the training step with XLA; default: on a GPU (4 to 6 times slower on a processor)."
    )
    distribution: str = option(
        "none", "One device, or all of the machine (`mirrored`).", choices=tuple(DISTRIBUTIONS)
    )
    save_every: int = option(
        0, "Steps between checkpoints within an epoch; 0: only at the end of each epoch.", low=0
    )
    seed: int = option(
        0, "Random seed of initial weights, order and augmentation; the split is always the same.", low=0
    )
    augmentation: AugmentationConfig = option(factory=AugmentationConfig, meaning="See `AugmentationConfig`.")

    def __post_init__(self):
        if (self.fold + 1) * self.validation_fraction > 1 + 1e-9:
            raise OptionError("fold", f"expected less than 1 / validation_fraction, received {self.fold}")
        if self.weight_decay and self.optimizer != "adamw":
            raise OptionError("weight_decay", f"expected 0 with {self.optimizer}, which does not apply it")
        if self.warmup_epochs and self.schedule != "cosine":
            raise OptionError("warmup_epochs", f"expected 0 with {self.schedule}, which has no warmup")
        if self.warmup_epochs >= self.epochs:
            raise OptionError(
                "warmup_epochs", f"expected fewer than {self.epochs} epochs, received {self.warmup_epochs}"
            )
        if self.partial_init and not self.init_network:
            raise OptionError("partial_init", "expected an init_network, received none")
        self.architecture()

    def architecture(self) -> VariantConfig:
        """Return the network's configuration: the variant's, with options that are not at their default.

        Raises:
            InputError: If the variant cannot be built so.
        """
        defaults = FSANetConfig()
        fields = {name: getattr(self, name) for name in ARCHITECTURE}
        changed = {name: value for name, value in fields.items() if value != getattr(defaults, name)}
        return variant_config(self.variant, **changed)
