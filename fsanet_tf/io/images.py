"""Image files: read as uint8 BGR, written atomically."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.io.files import replace_when_done, require_file
from fsanet_tf.options import checked

__all__ = ["read_image", "write_image"]

HEIC_HINT = "received HEIC, which OpenCV does not decode: convert it to JPEG or PNG first"
HEIC_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"hevc")
AVIF_BRANDS = (b"avif", b"avis")
AVIF_ROTATION = b"\0\0\0\x09irot"  # followed by the number of quarter turns counterclockwise
AVIF_MIRROR = b"\0\0\0\x09imir"  # afterwards; followed by 0: top and bottom are exchanged, 1: left and right
QUARTER_TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}
COLOR = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
ASTRONAUT = "astronaut"  # name of the photo that the package ships


def require_image(image: np.ndarray, name: str = "image") -> None:
    """Raise `InputError` unless an array is a uint8 image, BGR or grayscale, that is not empty."""
    valid = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size
    if not valid or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        received = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InputError(
            f"{name}: expected a uint8 BGR image (height, width, 3) or a grayscale one, received {received}"
        )


def as_bgr(image: np.ndarray, name: str = "image") -> np.ndarray:
    """Return a uint8 BGR image `(height, width, 3)`; a grayscale one `(height, width)` gets three channels.

    Raises:
        InputError: If `image` is another array, or empty.
    """
    require_image(image, name)
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file, or the packaged photo.

    Args:
        path: The file, or `"astronaut"`.

    Returns:
        uint8 BGR array `(height, width, 3)`, in [0, 255]. Images of 16 bits are scaled by their real range.

    Raises:
        InputError: If there is no such file, or OpenCV cannot decode it.

    Example:
        >>> fsanet_tf.read_image("astronaut").shape
        (512, 512, 3)
    """
    if checked("path", str, path) == ASTRONAUT:
        path = Path(__file__).with_name("astronaut.jpg")
    path = require_file(path, "an image")
    try:  # OpenCV itself opens only names that it can encode
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read it: {error.strerror}") from error
    return decode_image(content, str(path))


def decode_image(content: bytes, name: str) -> np.ndarray:
    """Decode an encoded image as `read_image` does.

    Args:
        content: JPEG, PNG or another format that OpenCV decodes.
        name: What an error calls it.

    Raises:
        InputError: If OpenCV cannot decode it.
    """
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), COLOR) if content else None
    except cv2.error:  # larger than OpenCV allows
        image = None
    if image is None:
        is_heic = content[4:8] == b"ftyp" and content[8:12] in HEIC_BRANDS
        raise InputError(f"{name}: expected an image, {HEIC_HINT if is_heic else 'could not decode it'}")
    if content[4:8] == b"ftyp" and content[8:12] in AVIF_BRANDS:  # OpenCV ignores its orientation
        if turns := (_avif_property(content, AVIF_ROTATION) or 0) & 3:
            image = cv2.rotate(image, QUARTER_TURNS[turns])
        if (axis := _avif_property(content, AVIF_MIRROR)) is not None:
            image = cv2.flip(image, axis & 1)
    return to_8_bits(image)


def _avif_property(content: bytes, start: bytes) -> int | None:
    """Return the value of a property of one byte from the box of metadata; None if the file lacks it."""
    box = content[max(content.find(b"meta") - 4, 0) :]
    _, _, after = box[: int.from_bytes(box[:4], "big")].partition(start)
    return after[0] if after else None


def decode_pil(image: Any) -> np.ndarray:
    """Convert a PIL image as `read_image` would read it from a file.

    Raises:
        InputError: If it is truncated.
    """
    from PIL import ImageOps

    try:
        image = ImageOps.exif_transpose(image)
        wide = image.mode.startswith(("I", "F"))
        pixels = np.asarray(image if wide else image.convert("RGB"))
        if not pixels.size:
            raise ValueError("it is empty")
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"image: expected a PIL image, could not decode it ({error})") from error
    return cv2.cvtColor(to_8_bits(pixels), cv2.COLOR_GRAY2BGR if wide else cv2.COLOR_RGB2BGR)


def to_8_bits(image: np.ndarray) -> np.ndarray:
    """Scale an image of more than 8 bits or of floats to 8 bits by its real range.

    Cameras store 10, 12 or 14 bits in 16: the largest value tells how many. Floats are in [0, 1], highlights
    beyond, or, if their mean is larger than 1, of the range of whole numbers.
    """
    if image.dtype == np.uint8:
        return image
    known = image[np.isfinite(image)]
    is_float = np.issubdtype(image.dtype, np.floating)
    if not known.size or (is_float and known.mean(dtype=np.float64) <= 1):
        largest = 1.0
    else:
        largest = 2.0 ** max(8, int(known.max()).bit_length()) - 1
    within = np.clip(np.nan_to_num(image), 0, largest)
    return (within * (255.0 / largest) + 0.5).astype(np.uint8)


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an image file atomically.

    Args:
        path: A `.png` or `.jpg` file.
        image: uint8 BGR `(height, width, 3)`, or grayscale `(height, width)`, in [0, 255].

    Raises:
        InputError: If the image is of another type, OpenCV cannot write the format, or the disk refuses the
            file.

    Example:
        >>> fsanet_tf.write_image("copy.png", fsanet_tf.read_image("astronaut"))
    """
    path = Path(checked("path", str, path))
    require_image(image, str(path))
    with replace_when_done(path) as temporary:
        try:
            encoded, content = cv2.imencode(path.suffix, image)
        except cv2.error:  # unknown format
            encoded = False
        if not encoded:
            raise InputError(f"{path}: cannot write an image of this format (expected .png or .jpg)")
        temporary.write_bytes(content.tobytes())
