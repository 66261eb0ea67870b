"""`fsanet heatmap`: what each row of the fine-grained structure mapping attends to."""

from pathlib import Path

from fsanet_tf.commands.command_line import Command
from fsanet_tf.errors import InputError
from fsanet_tf.io.files import printable_name, require_other_files
from fsanet_tf.io.images import ASTRONAUT
from fsanet_tf.options import configuration, option, same_option
from fsanet_tf.prediction.config import PredictionConfig
from fsanet_tf.prediction.heatmap import draw_heatmaps
from fsanet_tf.prediction.sources import find_photos


@configuration
class HeatmapConfig:
    """Options of `fsanet heatmap`."""

    source: str = option(ASTRONAUT, "A photo.")
    network: str = option("var", "A 1x1 or var network: .keras, .h5, or a shipped name.")
    detector: str = same_option(PredictionConfig, "detector")
    output: str | None = option(None, "Image to write; by default SOURCE_heatmap.png here.")


def run(config: HeatmapConfig) -> None:
    """Draw the heatmaps."""
    photos = find_photos(config.source)
    if photos is None or len(photos.paths) != 1:
        raise InputError(f"{printable_name(config.source)}: expected one photo")
    (photo,) = photos.paths
    output = Path(config.output or f"{photo.stem}_heatmap.png")
    require_other_files([photo, config.network], [output])
    draw_heatmaps(photo, output, config.network, config.detector)
    print(f"drawn: {printable_name(output)}")


COMMAND = Command(
    "heatmap",
    "Draw what each row of the fine-grained structure mapping attends to on a face.",
    run=run,
    config=HeatmapConfig,
    positional="source",
)
