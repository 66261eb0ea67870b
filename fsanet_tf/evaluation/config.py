"""Configuration of an evaluation, without importing TensorFlow."""

from typing import Any, NamedTuple

from fsanet_tf.errors import OptionError
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG
from fsanet_tf.options import configuration, option, same_option
from fsanet_tf.prediction.config import PredictionConfig

__all__ = ["EvaluationConfig"]

HELD_OUT = ("auto", "all")
ALL = "all"


class Corruption(NamedTuple):
    """A change of a face: in words, and the value of each strength."""

    meaning: str
    values: tuple[float, float, float]


CORRUPTIONS = {
    "face_mask": Corruption(
        "a cloth mask below the nose, over it, up to the eyes; its upper edge", (0.36, 0.04, -0.06)
    ),
    "sunglasses": Corruption("dark glasses; size of the lenses", (0.8, 1.0, 1.4)),
    "hand": Corruption("a hand over chin and cheek, mouth, nose and mouth", (1, 2, 3)),
    "block": Corruption("a square of one color; its side in sides of the face box", (0.25, 0.4, 0.55)),
    "dark": Corruption("brightness factor", (0.4, 0.2, 0.1)),
    "gamma": Corruption("gamma exponent", (1.8, 2.5, 3.5)),
    "overexposed": Corruption("brightness factor f; 60 (f - 1) gray levels are added", (1.3, 1.6, 2.0)),
    "noise": Corruption("normal noise; its standard deviation in gray levels", (12, 25, 45)),
    "low_resolution": Corruption("side of the face box in pixels", (32, 20, 12)),
    "motion_blur": Corruption("blur along an axis; its length in sides of the face box", (0.08, 0.16, 0.28)),
    "jpeg": Corruption("JPEG compression; its quality", (30, 10, 5)),
    "gray": Corruption("share of saturation removed", (0.5, 0.8, 1.0)),
}
STRENGTHS = (1, 2, 3)


@configuration
class EvaluationConfig:
    """Options of `evaluate`.

    Example:
        >>> fsanet_tf.EvaluationConfig(network="fusion", data="faces.npz").held_out
        'auto'
    """

    network: tuple[Any, ...] = option(
        meaning="Networks to evaluate: files, SavedModel folders or shipped names; several are averaged."
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
    mirror: bool = same_option(PredictionConfig, "mirror")
    corrupt: tuple[str, ...] = option(
        (),
        "Corruptions to evaluate under as well, such as noise:2 (strength 1, 2 or 3) or noise (every "
        f"strength); {ALL} are {', '.join(CORRUPTIONS)}.",
    )
    trust: bool = same_option(PredictionConfig, "trust")
    output_dir: str | None = option(
        None, "Folder for report.json, faces.csv and figures; by default none are written."
    )

    def __post_init__(self):
        self.corruptions()

    def corruptions(self) -> list[tuple[str, int]]:
        """Return the corruptions, each with its strength.

        Raises:
            OptionError: If there is no such corruption or strength.
        """
        return list(dict.fromkeys(pair for text in self.corrupt for pair in _parse_corruption(text)))


def _parse_corruption(text: str) -> list[tuple[str, int]]:
    name, _, strength = text.partition(":")
    names = list(CORRUPTIONS) if name == ALL else [name]
    if not CORRUPTIONS.keys() >= set(names):
        raise OptionError("corrupt", f"expected {', '.join((*CORRUPTIONS, ALL))}, received {text}")
    if ":" in text and strength not in map(str, STRENGTHS):
        raise OptionError("corrupt", f"expected a strength of 1, 2 or 3, as in {name}:2, received {text}")
    return [(name, number) for name in names for number in ([int(strength)] if strength else STRENGTHS)]
