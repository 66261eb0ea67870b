"""How the preprocessing commands report."""

from typing import Any

from fsanet_tf.data.preprocessing.crops import preprocess


def run(config: Any) -> None:
    """Create a dataset, print what was left out and what was written."""
    report = preprocess(config, progress=True)
    for problem in report.problems:
        print(f"left out: {problem}")
    print(report)
