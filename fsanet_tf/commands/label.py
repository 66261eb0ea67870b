"""`fsanet label`: head poses of a photo collection, a data set or footage as a table."""

from absl import flags

from fsanet_tf.batch.config import ENGINES, LabelConfig, LabelerConfig
from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.fields import fields_from_flags
from fsanet_tf.commands.shared_options import define_network_options
from fsanet_tf.detection.detectors import list_detectors

LABELER, DEFAULTS = LabelerConfig(), LabelConfig("", "")


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet label`."""
    text = flags.DEFINE_string
    text(
        "source",
        None,
        "Folder (recursive), photo, video, list (.txt), table (.csv, .parquet), pattern, or address of a "
        "file system such as s3://….",
        flag_values=values,
    )
    text("output", None, "Folder of the Parquet table to write.", flag_values=values)
    text("network", LABELER.network, "Network file or shipped name.", flag_values=values)
    flags.DEFINE_enum(
        "detector", LABELER.detector, ("auto", *list_detectors()), "Face detector.", flag_values=values
    )
    flags.DEFINE_float(
        "margin_ratio",
        LABELER.margin_ratio,
        "Share of the box added on each side; by default the network's own.",
        0.0,
        flag_values=values,
    )
    define_network_options(values)
    flags.DEFINE_float(
        "every_s",
        LABELER.every_s,
        "Seconds between the labeled frames of a video; 0: every frame.",
        0.0,
        flag_values=values,
    )
    flags.DEFINE_enum(
        "engine", DEFAULTS.engine, ENGINES, "Processes of this machine, or Ray.", flag_values=values
    )
    text("address", DEFAULTS.address, "Running Ray cluster to join.", flag_values=values)
    flags.DEFINE_integer(
        "workers", DEFAULTS.workers, "Number of processes; 0: one per core.", 0, flag_values=values
    )
    flags.DEFINE_bool("verbose", DEFAULTS.verbose, "Let Ray log.", flag_values=values)


def run(values: flags.FlagValues) -> None:
    """Label, with a progress bar and a summary."""
    from fsanet_tf.batch.label import label

    labeler = fields_from_flags(LabelerConfig, values)
    print(label(fields_from_flags(LabelConfig, values, labeler=labeler), progress=True))


COMMAND = Command(
    "label",
    "Label photos and videos with head poses, as a Parquet table; the same command resumes.",
    define_options,
    run,
    required=("source", "output"),
)
