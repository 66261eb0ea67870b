"""`fsanet convert`: turn a released `.h5` file into `.keras`."""

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.geometry.crop import BIWI_CROP, LANDMARK_CROP, CropRule
from fsanet_tf.models.config import list_variants


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet convert`."""
    flags.DEFINE_string("network", None, "A released .h5 file.", flag_values=values)
    flags.DEFINE_string("output", None, "The .keras file to write.", flag_values=values)
    flags.DEFINE_enum(
        "variant", None, sorted(list_variants()), "Refuse a file of another variant.", flag_values=values
    )
    flags.DEFINE_float(
        "margin_ratio",
        LANDMARK_CROP.margin_ratio,
        f"Crop margin for the card: {LANDMARK_CROP.margin_ratio} for 300W_LP_models, "
        f"{BIWI_CROP.margin_ratio} for BIWI_models.",
        0.0,
        flag_values=values,
    )


def run(values: flags.FlagValues) -> None:
    """Convert the file."""
    from fsanet_tf.networks.released.convert import convert_released

    model = convert_released(values.network, values.output, CropRule(values.margin_ratio), values.variant)
    print(f"{values.output}: {model.name}, {model.count_params():,} parameters")


COMMAND = Command(
    "convert",
    "Convert a weight file that the original FSA-Net released (.h5) to .keras.",
    define_options,
    run,
    required=("network", "output"),
    positional="network",
)
