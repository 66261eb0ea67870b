"""`fsanet train`: train a network, or resume an interrupted run.

`fsanet train --quick --output_dir=runs/quick` renders heads, crops them and trains a small network on them:
from files to a network in about two minutes, without any data.
"""

from pathlib import Path

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.fields import config_from_flags
from fsanet_tf.errors import OptionError
from fsanet_tf.networks.card import read_card
from fsanet_tf.training.config import TrainingConfig
from fsanet_tf.training.run_directory import is_finished


def define_quick(values: flags.FlagValues) -> None:
    """Define what a configuration does not have."""
    flags.DEFINE_bool(
        "quick",
        False,
        "Render heads and train on them briefly; only --output_dir and --seed are used.",
        flag_values=values,
    )


def run(values: flags.FlagValues) -> None:
    """Train, or report that the run is finished."""
    if values.quick:
        from fsanet_tf.training.quick import prepare_quick_run

        if not values.output_dir:
            raise OptionError("output_dir", "is required")
        config = prepare_quick_run(Path(values.output_dir), values.seed)
    else:
        config = config_from_flags(TrainingConfig, values)
    if is_finished(config):
        print(f"{config.output_dir}: this training is finished, nothing to do")
        return
    from fsanet_tf.training.trainer import train

    final = train(config, progress=True)
    card = read_card(final)
    about = card.about if card else {}
    if "started_from" in about:
        copied, total = about["started_from"]["weights"]
        print(f"started from {config.init_network}: {copied} of {total} weights")
    print(f"trained: {final}, validation MAE {about['validation_mae_deg']:.2f}°")


COMMAND = Command(
    "train",
    "Train a network on faces with known poses; the same command resumes an interrupted run.",
    TrainingConfig,
    run,
    define_more=define_quick,
    required_unless="quick",
)
