"""`fsanet predict photo.jpg`: head poses on photos, folders, videos and webcams."""

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.fields import fields_from_flags
from fsanet_tf.commands.shared_options import define_network_options
from fsanet_tf.detection.detectors import list_detectors
from fsanet_tf.drawing.poses import STYLES
from fsanet_tf.prediction.predict import PredictionConfig, predict

DEFAULTS = PredictionConfig()


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet predict`."""
    text = flags.DEFINE_string
    text(
        "source", DEFAULTS.source, "Photo, folder, video, GIF, webcam number or address.", flag_values=values
    )
    flags.DEFINE_bool(
        "recursive", DEFAULTS.recursive, "Search a folder's subfolders too.", flag_values=values
    )
    text("network", DEFAULTS.network, "Network file, SavedModel folder, or shipped name.", flag_values=values)
    flags.DEFINE_alias("model", "network", flag_values=values)
    flags.DEFINE_enum(
        "detector", DEFAULTS.detector, ("auto", *list_detectors()), "Face detector.", flag_values=values
    )
    flags.DEFINE_float(
        "margin_ratio",
        DEFAULTS.margin_ratio,
        "Share of the box added on each side; by default the network's own.",
        0.0,
        flag_values=values,
    )
    define_network_options(values)
    text(
        "output",
        DEFAULTS.output,
        "Image, video or folder to write; by default SOURCE_poses in the current folder.",
        flag_values=values,
    )
    flags.DEFINE_float(
        "field_of_view_deg",
        DEFAULTS.field_of_view_deg,
        "Horizontal field of view of the camera; corrects the poses of faces away from the center.",
        flag_values=values,
    )
    text("json", DEFAULTS.json, "Also write a JSON line per face to this file.", flag_values=values)
    text("csv", DEFAULTS.csv, "Also write a CSV line per face to this file.", flag_values=values)
    text(
        "time_sequence",
        DEFAULTS.time_sequence,
        "Also plot each person's angles over time to this .png (video only).",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "every",
        DEFAULTS.every,
        "Detect faces in every n-th frame of a video; in between they are tracked.",
        1,
        flag_values=values,
    )
    flags.DEFINE_integer(
        "hold_frames",
        DEFAULTS.hold_frames,
        "Number of frames for which a face is kept that the detector misses.",
        0,
        flag_values=values,
    )
    flags.DEFINE_bool(
        "smooth", DEFAULTS.smooth, "Smooth each track's angles (One Euro filter).", flag_values=values
    )
    flags.DEFINE_enum("style", DEFAULTS.style, STYLES, "How poses are drawn.", flag_values=values)
    flags.DEFINE_alias("draw", "style", flag_values=values)
    flags.DEFINE_bool(
        "uncertainty",
        DEFAULTS.uncertainty,
        "Write the expected error of each face into the drawing (fusion only).",
        flag_values=values,
    )
    flags.DEFINE_bool("show", DEFAULTS.show, "Show a window; q closes it.", flag_values=values)


def run(values: flags.FlagValues) -> None:
    """Predict, printing a line per photo."""
    predict(fields_from_flags(PredictionConfig, values), report=lambda line: print(line, flush=True))


COMMAND = Command(
    "predict",
    "Estimate and draw the head poses of a photo, a folder of photos, a video or a webcam.",
    define_options,
    run,
    positional="source",
)
