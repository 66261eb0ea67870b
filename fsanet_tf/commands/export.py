"""`fsanet export`: write a network for servers and phones."""

from fsanet_tf.commands.command_line import Command
from fsanet_tf.errors import InputError
from fsanet_tf.export.config import ExportConfig


def run(config: ExportConfig) -> None:
    """Export; print a line per file, what was compared on, and what was left out."""
    from fsanet_tf.export.export import export_model

    report = export_model(config, progress=True)
    for row in report.files:
        print(row)
    if report.files:
        print(f"compared on {report.compared_on}; times are of one face and one thread on this machine")
    for line in report.left_out:
        print(line)
    if report.refused:
        raise InputError("; ".join(report.refused))


COMMAND = Command(
    "export",
    "Write a network for servers and phones: SavedModel, frozen graph, ONNX, TFLite, CoreML, or a live page.",
    run=run,
    config=ExportConfig,
)
