"""`fsanet preprocess 300w_lp`: 300W-LP or AFLW2000 as crops and poses."""

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.preprocess_options import (
    REQUIRED_OPTIONS,
    define_common_options,
    define_input_dir,
    define_square,
    print_report,
)
from fsanet_tf.data.preprocessing.landmark_pairs import create_300w_lp
from fsanet_tf.geometry.crop import IMAGE_SIZE, LANDMARK_CROP, CropRule


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet preprocess 300w_lp`."""
    define_input_dir(values)
    define_common_options(values, LANDMARK_CROP.margin_ratio, IMAGE_SIZE)
    define_square(values, LANDMARK_CROP.square)


def run(values: flags.FlagValues) -> None:
    """Crop the folder."""
    print_report(
        create_300w_lp(
            values.input_dir,
            values.output,
            rule=CropRule(values.margin_ratio, values.square),
            image_size=values.image_size,
            workers=values.workers,
            strict=values.strict,
        )
    )


COMMAND = Command(
    "preprocess 300w_lp",
    "Turn 300W-LP or AFLW2000 (one folder of .jpg and .mat) into crops and poses.",
    define_options,
    run,
    required=REQUIRED_OPTIONS,
)
