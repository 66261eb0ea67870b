"""`fsanet synthesize`: render heads of known pose."""

from fsanet_tf.commands.command_line import Command
from fsanet_tf.data.preprocessing.synthetic import SyntheticConfig, synthesize


def run(config: SyntheticConfig) -> None:
    """Render the heads."""
    synthesize(config, progress=True)
    print(f"{config.output_dir}: {config.count} heads in the layout of 300W-LP")


COMMAND = Command(
    "synthesize",
    "Render heads of known pose in the layout of 300W-LP: data for anyone.",
    run=run,
    config=SyntheticConfig,
)
