"""Picture files: read as uint8 BGR, written whole or not at all."""

from pathlib import Path

import cv2
import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.files import replace_when_done, require_file
from fsanet_tf.quiet import silent_output


def read_picture(path: str | Path) -> np.ndarray:
    """A picture as uint8 BGR `(height, width, 3)`, in [0, 255].

    Raises:
        InputError: there is none, or none that OpenCV reads.
    """
    path = require_file(path, "a picture")
    try:
        with silent_output():  # its codecs complain on their own
            image = cv2.imread(str(path))
    except cv2.error:  # larger than OpenCV allows
        image = None
    if image is None:
        raise InputError(f"{path}: expected a picture, could not read it")
    return image


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write uint8 BGR `(height, width, 3)` to a `.png` or `.jpg` file.

    Raises:
        InputError: OpenCV has no such format, or cannot write there.
    """
    with replace_when_done(path) as temporary:
        try:
            written = cv2.imwrite(str(temporary), image)
        except cv2.error:  # no such format
            written = False
        if not written:
            raise InputError(f"{path}: cannot write such a picture (expected .png or .jpg)")
