"""How the preprocessing commands report."""

from fsanet_tf.data.preprocessing.crops import PreprocessingConfig, preprocess


def run(config: PreprocessingConfig) -> None:
    """Create a dataset, print what was left out and what was written."""
    report = preprocess(config, progress=True)
    for problem in report.problems:
        print(f"left out: {problem}")
    print(report)
