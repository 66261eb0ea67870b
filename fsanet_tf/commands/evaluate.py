"""`fsanet evaluate`: measure networks on a dataset."""

from pathlib import Path

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.evaluation.evaluate import evaluate
from fsanet_tf.evaluation.metrics import format_table
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet evaluate`."""
    flags.DEFINE_list(
        "weights",
        [],
        "Network files, SavedModel folders or shipped names, separated by commas; several are averaged.",
        flag_values=values,
    )
    flags.DEFINE_string("data", None, "Faces: an .npz of `fsanet preprocess`.", flag_values=values)
    flags.DEFINE_float(
        "max_angle_deg",
        MAX_ANGLE_DEG,
        "Leave out faces with a larger angle; 0 keeps all.",
        0.0,
        flag_values=values,
    )
    flags.DEFINE_bool(
        "trust",
        False,
        "Load networks that could do more than compute; see docs/safety.md.",
        flag_values=values,
    )
    flags.DEFINE_bool("mirror", False, "Average with the mirrored crops.", flag_values=values)
    flags.DEFINE_string(
        "output_dir",
        None,
        "Folder for report.json and figures; by default none are written.",
        flag_values=values,
    )


def run(values: flags.FlagValues) -> None:
    """Evaluate and print the table."""
    report = evaluate(
        values.weights, values.data, values.max_angle_deg, values.output_dir, values.mirror, values.trust
    )
    names = " + ".join(Path(source).name for source in report.networks)
    within = f" within ±{report.max_angle_deg:g}°" if report.max_angle_deg else ""
    print(
        f"{names} on {report.data}: {len(report.true_deg)} images{within}, {report.images_left_out} left out"
    )
    print(format_table(report.errors_deg))
    for note in report.notes:
        print(f"note: {note}")
    if values.output_dir:
        print(f"report and figures: {values.output_dir}")


COMMAND = Command(
    "evaluate",
    "Measure networks on a dataset: errors by angle and by range of yaw, figures, worst faces.",
    define_options,
    run,
    required=("weights", "data"),
)
