"""`fsanet heatmap`: what each row of the fine-grained structure mapping attends to."""

from pathlib import Path

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.detection.detectors import list_detectors
from fsanet_tf.errors import InputError
from fsanet_tf.io.images import ASTRONAUT
from fsanet_tf.prediction.heatmap import draw_heatmaps
from fsanet_tf.prediction.sources import photo_paths


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet heatmap`."""
    text = flags.DEFINE_string
    text("source", ASTRONAUT, "A photo.", flag_values=values)
    text("network", "var", "A 1x1 or var network: .keras, .h5, or a shipped name.", flag_values=values)
    flags.DEFINE_alias("model", "network", flag_values=values)
    flags.DEFINE_enum("detector", "auto", ("auto", *list_detectors()), "Face detector.", flag_values=values)
    text("output", None, "Image to write; by default SOURCE_heatmap.png here.", flag_values=values)


def run(values: flags.FlagValues) -> None:
    """Draw the heatmaps."""
    photos = photo_paths(values.source)
    if photos is None or len(photos) != 1:
        raise InputError(f"{values.source}: expected one photo")
    output = Path(values.output or f"{photos[0].stem}_heatmap.png")
    draw_heatmaps(photos[0], output, values.network, values.detector)
    print(f"drawn: {output}")


COMMAND = Command(
    "heatmap",
    "Draw what each row of the fine-grained structure mapping attends to on a face.",
    define_options,
    run,
    positional="source",
)
