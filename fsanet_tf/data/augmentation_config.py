"""What the augmentation can be told, without importing TensorFlow."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class AugmentationConfig:
    """What is done to a training crop; the defaults are the original's and nothing more.

    Attributes:
        original: the original's shifted crops and zoom.
        mirror: probability of a horizontal mirror; yaw and roll change sign.
        rotation_deg: largest turn in the picture's plane; the pose turns with it, as a rotation: a
            frontal face gains roll alone, a profile much pitch and roll. A face that the turn would
            take beyond 99° is not turned.
        borders: probability of borders around the crop, as wide as a margin of up to
            `max_border` on each side gives; half of them black, half a reflection.
        max_border: widest border, as a share of the crop's side.
        jitter: largest random change of scale, aspect ratio and place, as a share of the side.
        colour: largest relative change of brightness, contrast and each channel.
        blur: probability of a 3×3 binomial blur.
        erase: probability that a rectangle of up to half the side is filled with one grey.
        greyscale: probability of losing the colours.
    """

    original: bool = True
    mirror: float = 0.0
    rotation_deg: float = 0.0
    borders: float = 0.0
    max_border: float = 0.33
    jitter: float = 0.0
    colour: float = 0.0
    blur: float = 0.0
    erase: float = 0.0
    greyscale: float = 0.0

    def __post_init__(self):
        for field in ("mirror", "borders", "blur", "erase", "greyscale"):
            if not 0 <= getattr(self, field) <= 1:
                raise ValueError(f"{field} is a probability. Received: {getattr(self, field)}")
        for field in ("rotation_deg", "max_border", "jitter", "colour"):
            if getattr(self, field) < 0:
                raise ValueError(f"{field} must not be negative. Received: {getattr(self, field)}")
