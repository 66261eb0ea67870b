"""Configuration of the augmentation, without importing TensorFlow."""

from fsanet_tf.options import configuration, option
from fsanet_tf.registry import Registry

__all__ = ["AugmentationConfig"]

# Extensions: functions of float32 images `(batch, size, size, 3)` in [0, 255] and an int seed `(2,)`.
AUGMENTATIONS = Registry("augmentation", {})

# The head that masks and glasses are drawn on, in units of about half its height, as `synthetic_head` has it:
# x to the person's left, y down, z out of the face. An ellipsoid around it, the center of the face box, and
# the side of that box.
RADII = (0.80, 1.02, 0.92)
FACE_CENTER = (0.0, 0.31, 0.28)
BOX_SIDE = 1.45


def _probability(meaning: str) -> float:
    """Declare an option that is a probability, off by default."""
    return option(0.0, f"Augmentation: probability of {meaning}.", low=0.0, high=1.0)


def _range(default: float, meaning: str) -> float:
    """Declare an option that is the largest change of something."""
    return option(default, f"Augmentation: {meaning}.", low=0.0)


@configuration
class AugmentationConfig:
    """Augmentation of training crops; by default only that of the original.

    Raises:
        OptionError: If a probability is outside [0, 1], or another value negative.

    Example:
        >>> fsanet_tf.AugmentationConfig(original=False, flip=0.5, rotation_deg=20).color
        0.0
    """

    original: bool = option(True, "Augmentation: the original's shifted crops and zoom.")
    flip: float = _probability("a horizontal flip; yaw and roll change sign")
    rotation_deg: float = _range(
        0.0,
        "maximum in-plane rotation in degrees, with the pose; not of faces that would exceed 99°",
    )
    borders: float = _probability("a border around the crop, half of them black")
    max_border: float = _range(0.33, "maximum width of a border, as a share of the crop's side")
    background: float = _probability("pixels outside the crop that come from another crop of the batch")
    jitter: float = _range(0.0, "maximum change of scale, aspect ratio and position, as a share of the side")
    shift: float = _range(
        0.0, "maximum shift of half of the faces, as a share of the side, for networks that localize"
    )
    zoom: float = _range(
        0.0, "maximum change of the logarithm of the size of half of the faces, for networks that localize"
    )
    faceless: float = _probability("a crop of the background or of a part of a face, with a score of 0")
    strips: float = _probability(
        "strips of other pixels up to the face box, so that padding does not reveal its position"
    )
    face_mask: float = _probability("a cloth mask drawn over mouth and nose")
    sunglasses: float = _probability("sunglasses drawn over the eyes")
    color: float = _range(0.0, "maximum relative change of brightness, contrast and each channel")
    grayscale: float = _probability("conversion to grayscale")
    gamma: float = _probability("gamma correction, from 0.5 to 3.3")
    exposure: float = _probability("under- or overexposure")
    sharpen: float = _probability("sharpening, since stored crops were downscaled twice and are soft")
    low_resolution: float = _probability("downscaling to between a fifth and three quarters of the side")
    blur: float = _probability("a 3×3 blur")
    motion_blur: float = _probability("motion blur of 2 to 9 pixels along an axis")
    noise: float = _probability("sensor noise with a standard deviation of up to 28 gray levels")
    jpeg: float = _probability("JPEG compression at a quality of 10 to 60")
    erase: float = _probability("a rectangle of one color, of up to half the side")
    augmentations: tuple[str, ...] = option(
        (), "Augmentation: registered ones, by name.", choices=AUGMENTATIONS
    )
