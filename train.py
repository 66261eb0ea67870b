"""Train a network: `python train.py --data=faces.npz --output_dir=runs/first`."""

import dataclasses
import sys

from absl import flags

from fsanet_tf.command_line import import_tensorflow_quietly, run
from fsanet_tf.config import VARIANTS, variant_config
from fsanet_tf.errors import InputError
from fsanet_tf.training_config import (
    DISTRIBUTIONS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    AugmentationConfig,
    TrainingConfig,
)

PROTOCOL_BATCH_SIZES = {1: 16, 2: 8}
DEFAULTS = TrainingConfig(data=())
AUGMENTATION = AugmentationConfig()

flags.DEFINE_list("data", [], "Training faces: .npz files of the preprocessing, separated by commas.")
flags.DEFINE_list("validation_data", [], "Validation faces; default: a random share of --data.")
flags.DEFINE_string("output_dir", None, "Working directory; the same command goes on with a stopped run.")
flags.DEFINE_enum("variant", DEFAULTS.variant, sorted(VARIANTS), "The network.")
flags.DEFINE_integer("image_size", DEFAULTS.image_size, "Side of the network's input in pixels.", 16)
flags.DEFINE_integer(
    "protocol", 1, "1 drops faces with an angle above 99°, batch 16; 2 keeps all, batch 8.", 1, 2
)
flags.DEFINE_float("validation_fraction", DEFAULTS.validation_fraction, "Share of --data held out.", 0.0, 0.9)
flags.DEFINE_integer("batch_size", None, "Faces a step; default: the protocol's.", 1)
flags.DEFINE_integer("epochs", DEFAULTS.epochs, "Passes over the data.", 1)
flags.DEFINE_float("learning_rate", DEFAULTS.learning_rate, "Peak learning rate.", 0.0)
flags.DEFINE_enum("schedule", DEFAULTS.schedule, SCHEDULES, "×0.1 at a third and two thirds, or cosine.")
flags.DEFINE_integer("warmup_epochs", DEFAULTS.warmup_epochs, "Linear warm-up of the cosine schedule.", 0)
flags.DEFINE_enum("optimizer", DEFAULTS.optimizer, OPTIMIZERS, "Optimiser.")
flags.DEFINE_float("weight_decay", DEFAULTS.weight_decay, "Weight decay of AdamW.", 0.0)
flags.DEFINE_enum("loss", DEFAULTS.loss, LOSSES, "Mean absolute error of the angles, or of the rotation.")
flags.DEFINE_float("ema", DEFAULTS.ema, "Momentum of the weights' moving average; 0: none.", 0.0, 0.99999)
flags.DEFINE_string("init_weights", DEFAULTS.init_weights, "Network to start from.")
flags.DEFINE_bool("mixed_precision", DEFAULTS.mixed_precision, "16 bits where it is safe (GPUs).")
flags.DEFINE_enum("distribution", DEFAULTS.distribution, DISTRIBUTIONS, "One device, or all.")
flags.DEFINE_integer("save_every", DEFAULTS.save_every, "Steps between checkpoints; 0: each epoch.", 0)
flags.DEFINE_integer("seed", DEFAULTS.seed, "Seed of everything random.", 0)
flags.DEFINE_bool("original", AUGMENTATION.original, "Augment: the original's shifted crops and zoom.")
for _field, _help in (
    ("mirror", "probability of a mirror"),
    ("rotation_deg", "largest turn in the picture's plane, in degrees"),
    ("borders", "probability of borders around the crop"),
    ("max_border", "widest border, as a share of the crop's side"),
    ("jitter", "largest change of scale, aspect ratio and place"),
    ("colour", "largest relative change of the colours"),
    ("blur", "probability of a blur"),
    ("erase", "probability of an erased rectangle"),
    ("greyscale", "probability of losing the colours"),
):
    flags.DEFINE_float(_field, getattr(AUGMENTATION, _field), f"Augment: {_help}.", 0.0)
flags.mark_flag_as_required("output_dir")
FLAGS = flags.FLAGS


def config_from_flags() -> TrainingConfig:
    if not FLAGS.data:
        raise InputError("--data: expected at least one .npz file")

    def values(config_type) -> dict:
        names = [field.name for field in dataclasses.fields(config_type) if field.name in FLAGS]
        return {name: FLAGS[name].value for name in names}

    try:
        variant_config(FLAGS.variant, FLAGS.image_size)
        config = TrainingConfig(
            **values(TrainingConfig), augmentation=AugmentationConfig(**values(AugmentationConfig))
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    return dataclasses.replace(
        config,
        data=tuple(FLAGS.data),
        validation_data=tuple(FLAGS.validation_data),
        batch_size=FLAGS.batch_size or PROTOCOL_BATCH_SIZES[FLAGS.protocol],
    )


def main() -> None:
    config = config_from_flags()
    import_tensorflow_quietly()
    from fsanet_tf.training import train

    final = train(config, FLAGS.output_dir, verbose=1 if sys.stdout.isatty() else 2)
    print(f"trained: {final}")


if __name__ == "__main__":
    run(main)
