"""`fsanet download`: fetch the weights that the original released."""

from pathlib import Path

from fsanet_tf.commands.command_line import Command
from fsanet_tf.networks.released.table import BASE_URL, RELEASED, download_released
from fsanet_tf.options import configuration, option


@configuration
class DownloadConfig:
    """Options of `fsanet download`."""

    output_dir: str = option(meaning="Folder that receives 300W_LP_models/ and BIWI_models/.")
    names: tuple[str, ...] = option((), "Files to fetch; by default all.", choices=tuple(RELEASED))
    base_url: str = option(BASE_URL, "Address of the two folders.")


def run(config: DownloadConfig) -> None:
    """Download the files one after the other."""
    for name in config.names or RELEASED:
        print(download_released(name, Path(config.output_dir), config.base_url, progress=True))


COMMAND = Command(
    "download",
    "Download the weights that the original FSA-Net released, verified.",
    DownloadConfig,
    run,
)
