"""The one crop: from a picture and a face box to the square input of a network.

A face box is the smallest box around the visible landmarks of a face: left, top, right, bottom in pixels.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.options import configuration, option

__all__ = ["CropRule"]

IMAGE_SIZE = 64  # side of the networks' input in pixels
MAX_COORDINATE = 1e9  # pixels; beyond, integer arithmetic would overflow
MAX_WINDOW_RATIO = 4  # a larger window, relative to the picture, shows no face


Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
BOX_NAMES = ("left", "top", "right", "bottom")  # in tables
SAMPLINGS = ("original", "filtered")


@configuration
class CropRule:
    """Rule by which faces are cropped for a network, in training and in prediction.

    Raises:
        OptionError: If `margin_ratio` is negative or not finite, `square` is not a bool, or `sampling` is
            unknown.

    Example:
        >>> print(fsanet_tf.CropRule(0.29, square=True))
        square boxes with a margin of 0.29
    """

    margin_ratio: float = option(
        meaning="Share of the face box's width (height) added on the left and right (top and bottom).", low=0
    )
    square: bool = option(
        False, "Whether boxes are made square first. If not, as in the original, crops are stretched."
    )
    sampling: str = option(
        "original",
        "`original` cuts whole pixels, clips them to the picture and resizes without a filter, as the "
        "original does. `filtered` cuts at fractions of a pixel, averages pixels where it shrinks them, and "
        "repeats the picture's edge beyond it: less jitter, and square boxes stay square.",
        choices=SAMPLINGS,
    )

    def __str__(self) -> str:
        text = f"{'square' if self.square else 'stretched'} boxes with a margin of {self.margin_ratio:g}"
        return text if self.sampling == "original" else f"{text}, filtered"

    @property
    def growth(self) -> float:
        """Sides of the crop relative to those of the face box, before the picture's edge clips it."""
        return 1 + 2 * self.margin_ratio


# The original's, by the source of the box.
LANDMARK_CROP = CropRule(0.6)
BIWI_CROP = CropRule(0.4)


def require_box(box: Box) -> Box:
    """Return a box with Python's own numbers.

    Raises:
        InputError: If it is not four finite edges in order.
    """
    try:
        left, top, right, bottom = map(float, box)
    except (TypeError, ValueError):
        left = top = right = bottom = math.nan
    if not (
        -MAX_COORDINATE < left <= right < MAX_COORDINATE and -MAX_COORDINATE < top <= bottom < MAX_COORDINATE
    ):
        raise InputError(f"box {box}: expected left, top, right, bottom in pixels")
    return left, top, right, bottom


def overlaps_image(box: Box, image_shape: tuple[int, ...]) -> bool:
    """Return whether a box contains a part of an image of a height and width."""
    height, width = image_shape[:2]
    return box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0


def crop_face(image: np.ndarray, box: Box, rule: CropRule, image_size: int = IMAGE_SIZE) -> np.ndarray:
    """Cut a face out of a picture: the one crop of training, evaluation, prediction and demos.

    Args:
        image: uint8 BGR `(height, width, 3)`.
        box: Face box: left, top, right, bottom in pixels; it may extend beyond the picture.
        rule: How to cut.
        image_size: Side of the result in pixels.

    Returns:
        float32 BGR `(image_size, image_size, 3)` in [0, 255].

    Raises:
        InputError: If the box is invalid, or contains no part of the image even if its margin does.
    """
    if not overlaps_image(require_box(box), image.shape):
        raise InputError(f"box {box}: lies outside of an image of {image.shape[1]}×{image.shape[0]}")
    if rule.sampling == "original":
        return crop_box(image, grow_box(box, rule, image.shape), image_size).astype(np.float32)
    return sample_window(image, face_window(box, rule), image_size)


def face_window(box: Box, rule: CropRule) -> Box:
    """Grow a face box at fractions of a pixel, without clipping it: what a `filtered` crop shows.

    Raises:
        InputError: If the box is invalid.
    """
    left, top, right, bottom = require_box(box)
    half_width, half_height = (right - left) / 2, (bottom - top) / 2
    if rule.square:
        half_width = half_height = max(half_width, half_height)
    grown = rule.growth
    x, y = (left + right) / 2, (top + bottom) / 2
    return x - half_width * grown, y - half_height * grown, x + half_width * grown, y + half_height * grown


def moved_box(box: Box, rule: CropRule, offset: Sequence[float]) -> Box:
    """Return where the face is, given where a network sees it within its crop.

    Args:
        box: The face box that the crop was cut around.
        rule: How it was cut.
        offset: x and y of the face's center as shares of the crop's sides, from its center, and the logarithm
            of the face's size relative to the box: an output `box_offset`.

    Returns:
        The corrected face box in pixels, of the same aspect ratio.
    """
    left, top, right, bottom = face_window(box, rule)
    scale = math.exp(offset[2]) / 2
    x = (box[0] + box[2]) / 2 + offset[0] * (right - left)
    y = (box[1] + box[3]) / 2 + offset[1] * (bottom - top)
    half_width, half_height = (box[2] - box[0]) * scale, (box[3] - box[1]) * scale
    return x - half_width, y - half_height, x + half_width, y + half_height


def sample_window(image: np.ndarray, window: Box, image_size: int) -> np.ndarray:
    """Resample a window of a picture, filtered where it shrinks.

    Blocks of k×k pixels are averaged, where k is the number of source pixels per target pixel, rounded, and
    at least 1; the averages are interpolated linearly. Pixels beyond the picture's edge repeat it.

    Args:
        image: uint8 BGR `(height, width, 3)`.
        window: left, top, right, bottom in pixels, fractions allowed.
        image_size: Side of the result in pixels.

    Returns:
        float32 `(image_size, image_size, 3)` in [0, 255].

    Raises:
        InputError: If the window contains no pixel of the image, or is larger than it by orders of magnitude.
    """
    height, width = image.shape[:2]
    left, top, right, bottom = window
    empty = min(right - left, bottom - top) <= 0 or not overlaps_image(window, image.shape)
    if empty or max(right - left, bottom - top) > MAX_WINDOW_RATIO * (width + height):
        raise InputError(f"box {window}: contains no face in an image of {width}×{height}")
    x, x_block, columns, x_first, x_share = _linear_places(left, right, image_size, width)
    y, y_block, rows, y_first, y_share = _linear_places(top, bottom, image_size, height)
    pixels = _pixels(image, x, y, columns * x_block, rows * y_block)
    blocks = _block_means(pixels, rows, columns)
    lines = _between(blocks, y_first, y_share)
    return cv2.transpose(_between(cv2.transpose(lines), x_first, x_share))


def _block_means(pixels: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Average blocks of pixels: their rows are added up first, which is many times less to resize."""
    if pixels.shape[:2] == (rows, columns):
        return pixels.astype(np.float32)
    block = pixels.shape[0] // rows
    sums = np.zeros((rows, *pixels.shape[1:]), np.float32)
    for row in range(block):
        cv2.accumulate(pixels[row::block], sums)
    return cv2.resize(sums, (columns, rows), interpolation=cv2.INTER_AREA) / np.float32(block)


def _linear_places(
    low: float, high: float, count: int, size: int
) -> tuple[int, int, int, np.ndarray, np.ndarray]:
    """Return where samples lie along an axis of a picture.

    Of the blocks beyond the picture only the nearest on each side is kept: the others equal it.

    Returns:
        The first source pixel, the pixels of a block, the number of blocks, and for each sample the block
        before it and the share of the one after it.
    """
    step = (high - low) / count
    block = max(1, round(step))
    start = math.floor(low) - block
    position = (low + (np.arange(count) + 0.5) * step - start) / block - 0.5  # in blocks
    kept = max(-start // block - 1, 0)
    blocks = min(int(position[-1]) + 1, (size - 1 - start) // block + 1) + 1 - kept
    position = np.minimum(np.maximum(position - kept, 0), blocks - 1)
    first = np.minimum(position.astype(int), blocks - 2)
    return start + kept * block, block, blocks, first, (position - first).astype(np.float32)


def _between(values: np.ndarray, first: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Interpolate linearly along the first axis."""
    before = values.take(first, 0)
    between = values.take(first + 1, 0)
    between -= before
    between *= share[:, None, None]
    between += before
    return between


def _pixels(image: np.ndarray, x: int, y: int, width: int, height: int) -> np.ndarray:
    """Cut out `(height, width, 3)` pixels from x, y; those beyond the edge repeat it."""
    left, top = min(max(x, 0), image.shape[1] - 1), min(max(y, 0), image.shape[0] - 1)
    right, bottom = (
        max(left + 1, min(x + width, image.shape[1])),
        max(top + 1, min(y + height, image.shape[0])),
    )
    inside = image[top:bottom, left:right]
    if inside.shape[:2] == (height, width):
        return inside
    before_x, before_y = min(max(-x, 0), width - 1), min(max(-y, 0), height - 1)
    return cv2.copyMakeBorder(
        inside,
        before_y,
        height - before_y - inside.shape[0],
        before_x,
        width - before_x - inside.shape[1],
        cv2.BORDER_REPLICATE,
    )


def grow_box(box: Box, rule: CropRule, image_shape: tuple[int, ...]) -> tuple[int, int, int, int]:
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
    left, top, right, bottom = map(int, require_box(box))
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
        InputError: If the box contains no pixel of the image.
    """
    left, top, right, bottom = box
    cut = image[top : bottom + inclusive, left : right + inclusive]
    if min(left, top, right, bottom) < 0 or cut.size == 0:
        raise InputError(f"box {box}: contains no pixels of an image of {image.shape[1]}×{image.shape[0]}")
    return cv2.resize(cut, (image_size, image_size))


def resize_crops(crops: np.ndarray, image_size: int = IMAGE_SIZE) -> np.ndarray:
    """Resize crops `(N, S, S, 3)` uint8 to `(N, image_size, image_size, 3)`, bilinear as `crop_box`."""
    if crops.shape[1] == image_size:
        return crops
    if not len(crops):
        return np.zeros((0, image_size, image_size, 3), crops.dtype)
    return np.stack([cv2.resize(crop, (image_size, image_size)) for crop in crops])
