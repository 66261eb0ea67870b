"""`fsanet export`: write a network for servers and phones."""

from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.fields import fields_from_flags
from fsanet_tf.commands.shared_options import define_mirror
from fsanet_tf.errors import InputError
from fsanet_tf.export.config import BATCHES, FORMATS, ExportConfig

DEFAULTS = ExportConfig(weights=(), output_dir="")


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet export`."""
    flags.DEFINE_list(
        "weights", [], "Networks: .keras, released .h5, or shipped names; several are averaged.",
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_string("output_dir", None, "Folder for the files and parity.json.", flag_values=values)
    flags.DEFINE_multi_enum(
        "format",
        None,
        list(FORMATS),
        "What to write, repeatable; by default all that the data allow, but not web.",
        flag_values=values,
    )
    define_mirror(values)
    flags.DEFINE_enum(
        "batch", DEFAULTS.batch, BATCHES, "Faces per call of the TFLite files; int8 takes one.",
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_string(
        "representative_data", None, "Faces (.npz) that determine int8's ranges; int8 needs them.",
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_bool(
        "integer_io", DEFAULTS.integer_io, "int8: take int8 pixels (minus 128), return int16 angles.",
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_string(
        "parity_data", None, "Faces (.npz) to compare on; by default the representative ones.",
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_float(
        "max_mae_increase", DEFAULTS.max_mae_increase,
        "Degrees of MAE on labeled faces that a file may lose.", flag_values=values,
    )  # fmt: skip
    flags.DEFINE_string(
        "web_runtime", None, "web: a copy of onnxruntime-web; by default npm fetches it once.",
        flag_values=values,
    )  # fmt: skip
    flags.DEFINE_integer(
        "latency_rounds", DEFAULTS.latency_rounds, "Timed calls per file; 0: none.", 0, flag_values=values
    )


def run(values: flags.FlagValues) -> None:
    """Export, printing a line per file and the latencies."""
    config = fields_from_flags(ExportConfig, values, formats=tuple(values.format or ()))
    from fsanet_tf.export.export import export_model

    report = export_model(config, on_file=print)
    if report.latency:
        print(format_latency(report.latency))
    if report.refused:
        raise InputError("; ".join(report.refused))


def format_latency(rows: dict[str, dict]) -> str:
    """Format a table of milliseconds per face."""
    lines = [f"{'':40}{'1 thread':>12}{'2 threads':>12}{'of 64, 1 t.':>13}{'of 64, 2 t.':>13}{'× Keras':>11}"]
    for name, row in rows.items():
        one, two = row["threads_1"], row["threads_2"]
        lines.append(
            f"{name:40}{one['single_ms']:9.2f} ms{two['single_ms']:9.2f} ms"
            f"{one['batch_ms']:10.3f} ms{two['batch_ms']:10.3f} ms"
            f"{row['times_faster_than_keras']:11.1f}"
        )
    return "\n".join(lines)


COMMAND = Command(
    "export",
    "Write a network for servers and phones: SavedModel, frozen graph, ONNX, TFLite.",
    define_options,
    run,
    required=("weights", "output_dir"),
)
