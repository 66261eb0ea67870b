"""`fsanet evaluate`: measure networks on a dataset."""

from pathlib import Path

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.shared_options import define_max_angle, define_network_options
from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.evaluation.comparison import compare_reports, draw_comparison
from fsanet_tf.evaluation.evaluate import EvaluationReport, evaluate
from fsanet_tf.evaluation.metrics import format_table


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet evaluate`."""
    flags.DEFINE_list(
        "weights",
        [],
        "Network files, SavedModel folders or shipped names, separated by commas; several are averaged.",
        flag_values=values,
    )
    flags.DEFINE_list(
        "data", [], "Faces: .npz files of `fsanet preprocess`, separated by commas.", flag_values=values
    )
    flags.DEFINE_list(
        "compare_with",
        [],
        "Networks to compare with, face by face; several are averaged.",
        flag_values=values,
    )
    define_max_angle(values)
    define_network_options(values)
    flags.DEFINE_string(
        "output_dir",
        None,
        "Folder for report.json and figures; by default none are written.",
        flag_values=values,
    )


def run(values: flags.FlagValues) -> None:
    """Evaluate on each dataset and print the tables."""
    totals = {}
    for data in values.data:
        output_dir = values.output_dir and Path(values.output_dir)
        if output_dir and len(values.data) > 1:
            output_dir /= Path(data).stem
        report = evaluate(values.weights, data, values.max_angle_deg, output_dir, values.mirror, values.trust)
        totals[Path(data).stem] = report.errors_deg["all"]
        print_evaluation(report)
        if values.compare_with:
            print_comparison(report, values, output_dir)
        if output_dir:
            print(f"report and figures: {output_dir}")
    if len(totals) > 1:
        print(format_table(totals))


def print_evaluation(report: EvaluationReport) -> None:
    """Print the errors of a report and what to heed."""
    names = " + ".join(Path(source).name for source in report.networks)
    within = f" within ±{report.max_angle_deg:g}°" if report.max_angle_deg else ""
    print(
        f"{names} on {report.data}: {len(report.true_deg)} images{within}, {report.images_left_out} left out"
    )
    print(format_table(report.errors_deg))
    for note in report.notes:
        print(f"note: {note}")


def print_comparison(report: EvaluationReport, values: flags.FlagValues, output_dir: Path | None) -> None:
    """Compare with other networks on the same faces."""
    other = evaluate(
        values.compare_with, report.data, values.max_angle_deg, mirror=values.mirror, trust=values.trust
    )
    print_evaluation(other)
    names = " + ".join(Path(source).name for source in other.networks)
    print(f"{names} compared with the above: {compare_reports(report, other)}")
    if output_dir:
        draw_comparison(report, other, load_dataset(report.data), output_dir)


COMMAND = Command(
    "evaluate",
    "Measure networks on a dataset: errors by angle and by range of yaw, figures, worst faces.",
    define_options,
    run,
    required=("weights", "data"),
)
