"""The options that the preprocessing commands share, and how they report."""

from absl import flags

from fsanet_tf.data.preprocessing.parts import PreprocessingReport

REQUIRED_OPTIONS = ("input_dir", "output")


def define_input_dir(values: flags.FlagValues) -> None:
    """Define the folder of a dataset."""
    flags.DEFINE_string("input_dir", None, "Folder of the dataset as it is distributed.", flag_values=values)


def define_common_options(values: flags.FlagValues, margin_ratio: float, image_size: int) -> None:
    """Define the common options, with one command's defaults."""
    flags.DEFINE_string("output", None, "The .npz to write.", flag_values=values)
    flags.DEFINE_float(
        "margin_ratio", margin_ratio, "Share of the box added on each side.", 0.0, 5.0, flag_values=values
    )
    flags.DEFINE_integer(
        "image_size", image_size, "Side of the crops in pixels.", 8, 1024, flag_values=values
    )
    flags.DEFINE_integer("workers", 0, "Number of processes; 0: one per core.", 0, flag_values=values)
    flags.DEFINE_bool("strict", False, "Stop at the first source that yields no crop.", flag_values=values)


def define_square(values: flags.FlagValues, default: bool) -> None:
    """Define the shape of the crops."""
    flags.DEFINE_bool(
        "square", default, "Cut squares instead of stretching the boxes to one.", flag_values=values
    )


def print_report(report: PreprocessingReport) -> None:
    """Print what was written and how many sources yielded nothing."""
    print(report)
    for note in report.notes:
        print(f"note: {note}")
