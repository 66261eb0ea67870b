"""`fsanet label`: head poses of a photo collection, a data set or footage as a table."""

from fsanet_tf.batch.config import LabelConfig
from fsanet_tf.commands.command_line import Command
from fsanet_tf.errors import InputError


def run(config: LabelConfig) -> None:
    """Label, with a progress bar and a summary."""
    from fsanet_tf.batch.label import label

    report = label(config, progress=True)
    print(report)
    if report.failures:
        raise InputError(
            f"{config.output}: {report.failures} photos and videos failed; its column error says why"
        )


COMMAND = Command(
    "label",
    "Label photos and videos with head poses, as a Parquet table; the same command resumes.",
    run=run,
    config=LabelConfig,
    required=("source", "output"),
    positional="source",
)
