"""`fsanet preprocess table`: own photos, listed in a CSV, as crops and poses."""

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.preprocess_options import define_common_options, define_square, print_report
from fsanet_tf.data.preprocessing.face_table import SHIPPED_CROP, create_from_table
from fsanet_tf.geometry.crop import IMAGE_SIZE, CropRule


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet preprocess table`."""
    flags.DEFINE_string(
        "table",
        None,
        "CSV with a line per face: file, yaw, pitch, roll, and optionally left, top, right, bottom, "
        "margin_ratio, weight, group; or a .parquet table of fsanet label.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "image_dir",
        None,
        "Folder that the file names start from; by default the table's.",
        flag_values=values,
    )
    define_common_options(values, SHIPPED_CROP.margin_ratio, IMAGE_SIZE)
    define_square(values, SHIPPED_CROP.square)


def run(values: flags.FlagValues) -> None:
    """Crop the faces of the table."""
    print_report(
        create_from_table(
            values.table,
            values.output,
            values.image_dir,
            rule=CropRule(values.margin_ratio, values.square),
            image_size=values.image_size,
            workers=values.workers,
            strict=values.strict,
        )
    )


COMMAND = Command(
    "preprocess table",
    "Turn the faces that a CSV lists, with their poses, into crops and poses.",
    define_options,
    run,
    required=("table", "output"),
)
