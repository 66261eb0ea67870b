"""`fsanet synthesize`: render heads of known pose."""

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.data.preprocessing.synthetic import LAYOUTS, create_synthetic


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet synthesize`."""
    flags.DEFINE_string("output_dir", None, "Folder to fill.", flag_values=values)
    flags.DEFINE_integer("count", 2000, "Number of images.", 1, flag_values=values)
    flags.DEFINE_enum("layout", LAYOUTS[0], LAYOUTS, "Layout of the files.", flag_values=values)
    flags.DEFINE_integer("seed", 0, "Random seed.", 0, flag_values=values)


def run(values: flags.FlagValues) -> None:
    """Render the heads."""
    create_synthetic(values.output_dir, values.count, values.layout, values.seed)
    print(f"{values.output_dir}: {values.count} heads in the layout of {values.layout}")


COMMAND = Command(
    "synthesize",
    "Render heads of known pose in the layout of 300W-LP or BIWI: data for anyone.",
    define_options,
    run,
    required=("output_dir",),
)
