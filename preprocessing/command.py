"""The flags and the closing lines that the preprocessing commands share."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from preprocessing.parts import Problem


def define_flags(margin_ratio: float, image_size: int) -> None:
    """Define the common flags, with one command's defaults."""
    flags.DEFINE_string("input_dir", None, "Folder of the data set as it is distributed.")
    flags.DEFINE_string("output", None, "The .npz to write.")
    flags.DEFINE_float("margin_ratio", margin_ratio, "Share of the box added on each side.", 0.0, 5.0)
    flags.DEFINE_integer("image_size", image_size, "Side of the crops in pixels.", 8, 1024)
    flags.DEFINE_integer("workers", 0, "Processes; 0: one a core.", 0)
    flags.DEFINE_bool("strict", False, "Stop at the first source that gives no crop.")
    flags.mark_flags_as_required(["input_dir", "output"])


def report(num_sources: int, problems: Sequence[Problem], outputs: Sequence[Path]) -> None:
    """Say what was written and how many sources gave nothing."""
    written = ", ".join(str(path) for path in outputs)
    print(
        f"{written}: {num_sources - len(problems)} crops of {num_sources} sources, {len(problems)} left out"
    )
