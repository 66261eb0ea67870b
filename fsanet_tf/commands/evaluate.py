"""`fsanet evaluate`: measure networks on faces with known poses."""

from fsanet_tf.commands.command_line import Command
from fsanet_tf.evaluation.config import EvaluationConfig
from fsanet_tf.evaluation.evaluate import evaluate


def run(config: EvaluationConfig) -> None:
    """Evaluate and print the tables."""
    print(evaluate(config, progress=True))
    if config.output_dir:
        print(f"report and figures: {config.output_dir}")


COMMAND = Command(
    "evaluate",
    "Measure networks on faces with known poses: errors by angle and by range of yaw, figures, worst faces.",
    run=run,
    config=EvaluationConfig,
)
