"""How the preprocessing commands report."""

from collections.abc import Callable
from typing import Any

from fsanet_tf.data.preprocessing.crops import PreprocessingReport


def run_preprocessing(create: Callable[..., PreprocessingReport]) -> Callable[[Any], None]:
    """Return a command's function: create a dataset, print what was left out and what was written."""

    def run(config: Any) -> None:
        report = create(config, progress=True)
        for problem in report.problems:
            print(f"left out: {problem}")
        print(report)

    return run
