"""`fsanet download`: fetch the weights that the original released."""

from pathlib import Path

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.errors import InputError
from fsanet_tf.networks.released.download import download_released
from fsanet_tf.networks.released.table import BASE_URL, RELEASED


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet download`."""
    flags.DEFINE_string(
        "output_dir", None, "Folder that receives 300W_LP_models/ and BIWI_models/.", flag_values=values
    )
    flags.DEFINE_list(
        "names", [], "Files, such as 300W_LP_models/ssrnet_mt; by default all.", flag_values=values
    )
    flags.DEFINE_string("base_url", BASE_URL, "Address of the two folders.", flag_values=values)


def run(values: flags.FlagValues) -> None:
    """Download the files one after the other."""
    names = values.names or list(RELEASED)
    unknown = sorted(set(names) - set(RELEASED))
    if unknown:
        raise InputError(f"--names: {unknown[0]} is not one of {', '.join(RELEASED)}")
    for name in names:
        print(download_released(RELEASED[name], Path(values.output_dir), values.base_url, progress=True))


COMMAND = Command(
    "download",
    "Download the weights that the original FSA-Net released, verified.",
    define_options,
    run,
    required=("output_dir",),
)
