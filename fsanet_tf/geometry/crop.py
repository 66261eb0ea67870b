"""The one crop: from an image and a box to the square input of a network."""

import dataclasses
import math

import cv2
import numpy as np

from fsanet_tf.errors import InputError

__all__ = ["CropRule"]

IMAGE_SIZE = 64  # side of the networks' input in pixels
MAX_COORDINATE = 1e9  # pixels; beyond, integer arithmetic would overflow


@dataclasses.dataclass(frozen=True)
class CropRule:
    """How the crops of a dataset were cut, and how a network trained on them expects its own.

    Attributes:
        margin_ratio: Share of the box's width (height) added on the left and right (top and bottom).
        square: Whether boxes are made square first. If not, as in the original, crops are stretched.

    Raises:
        InputError: If `margin_ratio` is negative or not finite, or `square` is not a bool.

    Example:
        >>> print(fsanet_tf.CropRule(0.29, square=True))
        square boxes with a margin of 0.29
    """

    margin_ratio: float
    square: bool = False

    def __post_init__(self):
        if not isinstance(self.margin_ratio, int | float) or not 0 <= self.margin_ratio < math.inf:
            raise InputError(f"margin_ratio: expected a ratio of 0 or more, received {self.margin_ratio!r}")
        if not isinstance(self.square, bool):
            raise InputError(f"square: expected true or false, received {self.square!r}")

    def __str__(self) -> str:
        return f"{'square' if self.square else 'stretched'} boxes with a margin of {self.margin_ratio:g}"


# The original's, by the source of the box.
LANDMARK_CROP = CropRule(0.6)
BIWI_CROP = CropRule(0.4)


def require_bgr(image: np.ndarray, name: str = "image") -> None:
    """Raise `InputError` unless `image` is a uint8 array `(height, width, 3)` that is not empty."""
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        received = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(f"{name}: expected a uint8 BGR image (height, width, 3), received {received}")
    if image.size == 0:
        raise InputError(f"{name}: expected a uint8 BGR image that is not empty, received {image.shape}")


def grow_box(
    box: tuple[float, float, float, float], rule: CropRule, image_shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Grow a box by a share of its size on each side and clip it to the image, as the original does.

    Args:
        box: left, top, right, bottom in pixels.
        rule: The margin, and whether the shorter sides are first extended around the center.
        image_shape: Height and width of the image; further axes are ignored.

    Returns:
        left, top, right, bottom as whole pixels, within [0, size − 1]; empty if the box lies outside.

    Raises:
        InputError: If an edge is not finite or out of range, or the box is inverted.
    """
    if not all(abs(edge) < MAX_COORDINATE for edge in box) or box[0] > box[2] or box[1] > box[3]:
        raise InputError(f"box {tuple(box)}: expected left, top, right, bottom in pixels")
    left, top, right, bottom = (int(edge) for edge in box)
    height, width = image_shape[:2]
    if rule.square:
        missing = abs((right - left) - (bottom - top))
        if right - left < bottom - top:
            left, right = left - missing // 2, right + missing - missing // 2
        else:
            top, bottom = top - missing // 2, bottom + missing - missing // 2
    margin_x = rule.margin_ratio * (right - left)
    margin_y = rule.margin_ratio * (bottom - top)
    return (
        max(int(left - margin_x), 0),
        max(int(top - margin_y), 0),
        min(int(right + margin_x), width - 1),
        min(int(bottom + margin_y), height - 1),
    )


def crop_box(
    image: np.ndarray,
    box: tuple[int, int, int, int],
    image_size: int = IMAGE_SIZE,
    *,
    inclusive: bool = False,
) -> np.ndarray:
    """Cut out a box of whole pixels and resize it (bilinear), stretching it to a square.

    Args:
        image: uint8 BGR `(height, width, 3)`.
        box: left, top, right, bottom.
        image_size: Side of the result in pixels.
        inclusive: Include the pixels of the right and bottom edge, as the original does for BIWI and in
            its demos, but not for 300W-LP.

    Returns:
        uint8 BGR `(image_size, image_size, 3)`.

    Raises:
        InputError: If `image` is invalid, or the box contains no pixel of it.
    """
    require_bgr(image)
    left, top, right, bottom = box
    cut = image[top : bottom + inclusive, left : right + inclusive]
    if min(left, top) < 0 or cut.size == 0:
        raise InputError(f"box {box}: contains no pixels of an image of {image.shape[1]}×{image.shape[0]}")
    return cv2.resize(cut, (image_size, image_size))


def resize_crops(crops: np.ndarray, image_size: int = IMAGE_SIZE) -> np.ndarray:
    """Resize crops `(N, S, S, 3)` uint8 to `(N, image_size, image_size, 3)`, bilinear as `crop_box`."""
    if crops.shape[1] == image_size:
        return crops
    return np.stack([cv2.resize(crop, (image_size, image_size)) for crop in crops])
