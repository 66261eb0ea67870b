"""`fsanet preprocess biwi`: BIWI Kinect Head Pose as crops and poses."""

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.preprocess_options import (
    REQUIRED_OPTIONS,
    define_common_options,
    define_input_dir,
    print_report,
)
from fsanet_tf.data.preprocessing.biwi import BiwiSettings, create_biwi
from fsanet_tf.geometry.crop import BIWI_CROP, IMAGE_SIZE, CropRule


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet preprocess biwi`."""
    define_input_dir(values)
    define_common_options(values, BIWI_CROP.margin_ratio, IMAGE_SIZE)
    flags.DEFINE_integer(
        "protocol", 1, "1: all frames in one file; 2: training and test videos.", 1, 2, flag_values=values
    )
    flags.DEFINE_enum("detector", "mtcnn", ("mtcnn", "file"), "Source of the boxes.", flag_values=values)
    flags.DEFINE_integer("seed", 0, "Random seed of the split of protocol 2.", 0, flag_values=values)


def run(values: flags.FlagValues) -> None:
    """Crop the videos."""
    settings = BiwiSettings(
        values.protocol, CropRule(values.margin_ratio), values.image_size, values.detector
    )
    print_report(
        create_biwi(
            values.input_dir,
            values.output,
            settings,
            seed=values.seed,
            workers=values.workers,
            strict=values.strict,
        )
    )


COMMAND = Command(
    "preprocess biwi",
    "Turn BIWI Kinect Head Pose into crops and poses, by the paper's protocol 1 or 2.",
    define_options,
    run,
    required=REQUIRED_OPTIONS,
)
