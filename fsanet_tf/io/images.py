"""Image files: read as uint8 BGR, written atomically."""

from pathlib import Path

import cv2
import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.io.files import replace_when_done, require_file

__all__ = ["read_image", "write_image"]

ASTRONAUT = "astronaut"  # name of the photo that the package ships


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file, or the photo that the package ships.

    Args:
        path: The file, or `"astronaut"`.

    Returns:
        uint8 BGR array `(height, width, 3)`, in [0, 255].

    Raises:
        InputError: If there is no such file, or OpenCV cannot decode it.

    Example:
        >>> fsanet_tf.read_image("astronaut").shape
        (512, 512, 3)
    """
    if str(path) == ASTRONAUT:
        path = Path(__file__).with_name("astronaut.jpg")
    path = require_file(path, "an image")
    try:
        image = cv2.imread(str(path))
    except cv2.error:  # larger than OpenCV allows
        image = None
    if image is None:
        raise InputError(f"{path}: expected an image, could not decode it")
    return image


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an image file atomically.

    Args:
        path: A `.png` or `.jpg` file.
        image: uint8 BGR array `(height, width, 3)`, in [0, 255].

    Raises:
        InputError: If OpenCV cannot write the format, or the disk refuses the file.

    Example:
        >>> fsanet_tf.write_image("copy.png", fsanet_tf.read_image("astronaut"))
    """
    path = Path(path)
    with replace_when_done(path) as temporary:
        try:
            encoded, content = cv2.imencode(path.suffix, image)
        except cv2.error:  # unknown format
            encoded = False
        if not encoded:
            raise InputError(f"{path}: cannot write an image of this format (expected .png or .jpg)")
        temporary.write_bytes(content.tobytes())
