"""Configuration of an evaluation."""

from typing import Any

from fsanet_tf.geometry.pose import MAX_ANGLE_DEG
from fsanet_tf.options import configuration, option

__all__ = ["EvaluationConfig"]

HELD_OUT = ("auto", "all")


@configuration
class EvaluationConfig:
    """What to measure, and on which faces.

    Example:
        >>> fsanet_tf.EvaluationConfig(network="fusion", data="faces.npz").held_out
        'auto'
    """

    network: tuple[Any, ...] = option(
        meaning="Networks to measure: files, SavedModel folders or shipped names; several are averaged."
    )
    data: tuple[str, ...] = option(meaning="Faces with known poses: .npz files of `fsanet preprocess`.")
    compare_with: tuple[Any, ...] = option(
        (), "Networks to compare with, face by face; several are averaged."
    )
    max_angle_deg: float = option(
        MAX_ANGLE_DEG, "Leave out faces with a larger angle, as the paper does; 0 keeps all.", low=0
    )
    held_out: str = option(
        "auto",
        "Which faces of data that a network was trained on: only those that its training held out (auto), or "
        "all.",
        choices=HELD_OUT,
    )
    mirror: bool = option(
        False, "Average with the predictions for mirrored crops: more accurate, in twice the time."
    )
    trust: bool = option(False, "Load networks that could do more than compute; see docs/safety.md.")
    output_dir: str | None = option(
        None, "Folder for report.json, faces.csv and figures; by default none are written."
    )
