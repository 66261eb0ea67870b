"""`fsanet train`: train a network, or resume an interrupted run.

`fsanet train --quick --output_dir=runs/quick` renders heads, crops them and trains a small network on them:
from files to a network in about two minutes, without any data.
"""

import sys
from pathlib import Path

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.fields import fields_from_flags
from fsanet_tf.commands.shared_options import define_max_angle
from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.errors import InputError
from fsanet_tf.models.config import list_variants, variant_config
from fsanet_tf.training.config import (
    DISTRIBUTIONS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    TrainingConfig,
)
from fsanet_tf.training.run_directory import OLD_NAMES, is_finished

DEFAULTS = TrainingConfig(data=())
AUGMENTATION_HELP = {
    "mirror": "probability of a horizontal flip",
    "rotation_deg": "maximum in-plane rotation in degrees; the pose rotates with it",
    "borders": "probability of a border around the crop",
    "max_border": "maximum width of a border, as a share of the crop's side",
    "background": "probability that pixels outside the crop come from another crop",
    "jitter": "maximum change of scale, aspect ratio and position",
    "color": "maximum relative change of the colors",
    "blur": "probability of a blur",
    "erase": "probability of an erased rectangle",
    "grayscale": "probability of losing the colors",
    "sharpen": "probability of sharpening",
    "low_resolution": "probability of a reduced resolution",
    "jpeg": "probability of JPEG compression",
}


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet train`."""
    _define_data_options(values)
    _define_recipe_options(values)
    flags.DEFINE_bool(
        "original",
        DEFAULTS.augmentation.original,
        "Augmentation: the original's shifted crops and zoom.",
        flag_values=values,
    )
    for name, text in AUGMENTATION_HELP.items():
        default = getattr(DEFAULTS.augmentation, name)
        flags.DEFINE_float(name, default, f"Augmentation: {text}.", 0.0, flag_values=values)
    for old, name in OLD_NAMES.items():
        flags.DEFINE_alias(old, name, flag_values=values)


def _define_data_options(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "output_dir", None, "Working directory; the same command resumes a run there.", flag_values=values
    )
    flags.DEFINE_list(
        "data",
        [],
        "Training faces: .npz files, separated by commas, or an index of shards.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "validation_data", [], "Validation faces; by default a random share of --data.", flag_values=values
    )
    flags.DEFINE_float(
        "validation_fraction",
        DEFAULTS.validation_fraction,
        "Share of --data to validate on; groups of faces stay together.",
        0.0,
        0.9,
        flag_values=values,
    )
    define_max_angle(values)
    flags.DEFINE_float(
        "margin_ratio",
        DEFAULTS.margin_ratio,
        "Common margin that crops are cut to; by default their own.",
        0.0,
        flag_values=values,
    )
    flags.DEFINE_bool(
        "quick",
        False,
        "Render heads and train on them briefly; most options are ignored.",
        flag_values=values,
    )


def _define_recipe_options(values: flags.FlagValues) -> None:
    flags.DEFINE_enum(
        "variant", DEFAULTS.variant, sorted(list_variants()), "The network.", flag_values=values
    )
    for name, text, low, high in (
        ("image_size", "Side of the network's input in pixels.", 16, None),
        ("batch_size", "Faces per step.", 1, None),
        ("fold", "Which share of --data to validate on, for cross-validation: 0, 1, …", 0, None),
        ("epochs", "Passes over the data.", 1, None),
        ("warmup_epochs", "Epochs of linear warmup of the cosine schedule.", 0, None),
        ("save_every", "Steps between checkpoints; 0: only at the end of each epoch.", 0, None),
        ("seed", "Random seed.", 0, None),
    ):
        flags.DEFINE_integer(name, getattr(DEFAULTS, name), text, low, high, flag_values=values)
    for name, text, high in (
        ("learning_rate", "Peak learning rate.", None),
        ("weight_decay", "Weight decay of AdamW.", None),
        ("ema", "Momentum of a moving average of the weights; 0: none.", 0.99999),
    ):
        flags.DEFINE_float(name, getattr(DEFAULTS, name), text, 0.0, high, flag_values=values)
    for name, choices, text in (
        ("schedule", SCHEDULES, "×0.1 at a third and two thirds of the epochs, or cosine."),
        ("optimizer", OPTIMIZERS, "Optimizer."),
        ("loss", LOSSES, "Mean absolute error of the angles, angle of the rotation, or their mean."),
        ("distribution", DISTRIBUTIONS, "One device, or all of the machine."),
    ):
        flags.DEFINE_enum(name, getattr(DEFAULTS, name), list(choices), text, flag_values=values)
    flags.DEFINE_string(
        "init_weights",
        DEFAULTS.init_weights,
        "Network to start from: a file or a shipped name.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "mixed_precision", DEFAULTS.mixed_precision, "16 bits where that is safe (GPUs).", flag_values=values
    )


def config_from_flags(values: flags.FlagValues) -> TrainingConfig:
    """Build the configuration of a run.

    Raises:
        InputError: If there is no data, or an option has an invalid value.
    """
    if not values.data:
        raise InputError("--data: expected at least one .npz file")
    augmentation = fields_from_flags(AugmentationConfig, values)
    config = fields_from_flags(TrainingConfig, values, augmentation=augmentation)
    try:
        variant_config(config.variant, config.image_size)
    except ValueError as error:
        raise InputError(str(error)) from error
    return config


def run(values: flags.FlagValues) -> None:
    """Train, or report that the run is finished."""
    output_dir = Path(values.output_dir)
    if values.quick:
        from fsanet_tf.training.quick import prepare_quick_run

        config = prepare_quick_run(output_dir, values.seed)
    else:
        config = config_from_flags(values)
    if is_finished(config, output_dir):
        print(f"{output_dir}: this training is finished, nothing to do")
        return
    from fsanet_tf.training.trainer import train

    final = train(config, output_dir, verbose=1 if sys.stdout.isatty() else 2)
    print(f"trained: {final}")


COMMAND = Command(
    "train",
    "Train a network on faces with known poses; the same command resumes an interrupted run.",
    define_options,
    run,
    required=("output_dir",),
)
