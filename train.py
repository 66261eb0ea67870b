"""Train a network: `python train.py --data=faces.npz --output_dir=runs/first`.

`python train.py --quick --output_dir=runs/quick` renders heads, crops them and trains a small net on
them: the whole way from folders to a network, in about two minutes, without any data.
"""

import dataclasses
import sys
from pathlib import Path

from absl import flags

from fsanet_tf.command_line import run
from fsanet_tf.config import VARIANTS, variant_config
from fsanet_tf.errors import InputError
from fsanet_tf.quiet import import_tensorflow_quietly
from fsanet_tf.training.config import (
    DISTRIBUTIONS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    AugmentationConfig,
    TrainingConfig,
)
from fsanet_tf.training.run_directory import is_finished

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
flags.DEFINE_string(
    "init_weights", DEFAULTS.init_weights, "Network to start from: a file, or a shipped name."
)
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
flags.DEFINE_bool("quick", False, "Render heads and train on them for a moment; most flags do not count.")
FLAGS = flags.FLAGS

QUICK_HEADS = 1500
QUICK = TrainingConfig(
    data=(),
    variant="fsanet_var_capsule",
    image_size=32,
    batch_size=32,
    epochs=10,
    learning_rate=4e-3,
    schedule="cosine",
    warmup_epochs=1,
    augmentation=AugmentationConfig(original=False, mirror=0.5),
)


def quick_config(output_dir: Path) -> TrainingConfig:
    """Render heads as 300W-LP has them, crop them as 300W-LP, and say how to train on the crops."""
    from preprocessing.create_300w_lp import create_300w_lp
    from preprocessing.create_synthetic import create_synthetic

    crops = output_dir / "heads.npz"
    if not crops.exists():
        create_synthetic(output_dir / "heads", QUICK_HEADS)
        create_300w_lp(output_dir / "heads", crops)
    return dataclasses.replace(QUICK, data=(str(crops),), seed=FLAGS.seed)


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
    output_dir = Path(FLAGS.output_dir)
    config = quick_config(output_dir) if FLAGS.quick else config_from_flags()
    if is_finished(config, output_dir):
        print(f"{output_dir}: this training is finished, nothing to do")
        return
    import_tensorflow_quietly()
    from fsanet_tf.training.trainer import train

    final = train(config, output_dir, verbose=1 if sys.stdout.isatty() else 2)
    print(f"trained: {final}")


if __name__ == "__main__":
    run(main)
