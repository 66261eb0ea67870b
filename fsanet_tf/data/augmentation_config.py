"""Configuration of the augmentation, without importing TensorFlow."""

import dataclasses

__all__ = ["AugmentationConfig"]


@dataclasses.dataclass(frozen=True)
class AugmentationConfig:
    """What is applied to a training crop; the defaults are the original's augmentation and nothing else.

    Attributes:
        original: Whether to apply the original's shifted crops and zoom.
        mirror: Probability of a horizontal flip; yaw and roll change sign.
        rotation_deg: Maximum in-plane rotation in degrees. The pose is rotated as a rotation: a frontal
            face gains roll only, a profile much pitch and roll. A face that would exceed 99° is left.
        borders: Probability of a border around the crop, as wide as an additional margin of up to
            `max_border` on each side; half of them black, half reflected (or real, if there are pixels).
        max_border: Maximum width of a border as a share of the crop's side.
        background: Probability that pixels outside the crop are taken from another crop of the batch,
            where a wide margin would show real background.
        jitter: Maximum random change of scale, aspect ratio and position, as a share of the side.
        color: Maximum relative change of brightness, contrast and each channel.
        blur: Probability of a 3×3 binomial blur.
        erase: Probability that a rectangle of up to half the side is filled with one gray level.
        grayscale: Probability of losing the colors.
        sharpen: Probability of unsharp masking: stored crops were reduced twice and are softer than crops
            that come straight from a large picture.
        low_resolution: Probability of a reduction to between a quarter and three quarters of the side.
        jpeg: Probability of JPEG compression at a quality of 10 to 60.

    Raises:
        ValueError: If a probability is outside [0, 1], or another value negative.

    Example:
        >>> fsanet_tf.AugmentationConfig(original=False, mirror=0.5, rotation_deg=20).color
        0.0
    """

    original: bool = True
    mirror: float = 0.0
    rotation_deg: float = 0.0
    borders: float = 0.0
    max_border: float = 0.33
    background: float = 0.0
    jitter: float = 0.0
    color: float = 0.0
    blur: float = 0.0
    erase: float = 0.0
    grayscale: float = 0.0
    sharpen: float = 0.0
    low_resolution: float = 0.0
    jpeg: float = 0.0

    def __post_init__(self):
        for field in (
            "mirror",
            "borders",
            "background",
            "blur",
            "erase",
            "grayscale",
            "sharpen",
            "low_resolution",
            "jpeg",
        ):
            if not 0 <= getattr(self, field) <= 1:
                raise ValueError(f"{field} is a probability. Received: {getattr(self, field)}")
        for field in ("rotation_deg", "max_border", "jitter", "color"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} must not be negative. Received: {getattr(self, field)}")
