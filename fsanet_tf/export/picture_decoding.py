"""Decoding of pictures as TensorFlow operations, with the orientation that a JPEG's Exif data state."""

import numpy as np
import tensorflow as tf

SCANNED_BYTES = 2**18  # of a file: its Exif data are among the first segments, of at most 64 KiB each
START_OF_SCAN, APP1, EXIF = 0xDA, 0xE1, np.frombuffer(b"Exif\0\0", np.uint8).astype(np.int32)
ORIENTATION_TAG, MAX_TAGS = 0x0112, 512


def decode_picture(encoded: tf.Tensor) -> tf.Tensor:
    """Decode a picture as the package reads files: upright, by the accurate JPEG transform.

    Args:
        encoded: A JPEG, PNG, BMP or GIF (its first frame): a scalar string.

    Returns:
        uint8 BGR `(height, width, 3)`.
    """

    def decode_jpeg() -> tf.Tensor:
        rgb = tf.io.decode_jpeg(encoded, channels=3, fancy_upscaling=True, dct_method="INTEGER_ACCURATE")
        return _upright(rgb, exif_orientation(encoded))

    rgb = tf.cond(
        tf.strings.substr(encoded, 0, 2) == b"\xff\xd8",
        decode_jpeg,
        lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(rgb, (None, None, 3))[..., ::-1]


def exif_orientation(encoded: tf.Tensor) -> tf.Tensor:
    """Read the orientation of a JPEG: int32 from 1 to 8; 1 if it states none."""
    content = tf.io.decode_raw(tf.strings.substr(encoded, 0, SCANNED_BYTES), tf.uint8)
    data = tf.pad(tf.cast(content, tf.int32), [[0, 16]])
    last = tf.size(data) - 1

    def byte(position: tf.Tensor) -> tf.Tensor:
        return tf.gather(data, tf.clip_by_value(position, 0, last))

    def is_exif(position: tf.Tensor) -> tf.Tensor:
        return (byte(position + 1) == APP1) & tf.reduce_all(byte(position + 4 + tf.range(6)) == EXIF)

    def is_before_exif(position: tf.Tensor) -> tf.Tensor:
        is_segment = (position < last) & (byte(position) == 0xFF) & (byte(position + 1) != START_OF_SCAN)
        return is_segment & ~is_exif(position)

    def next_segment(position: tf.Tensor) -> tf.Tensor:
        return position + 2 + tf.maximum(256 * byte(position + 2) + byte(position + 3), 2)

    (segment,) = tf.while_loop(is_before_exif, lambda position: (next_segment(position),), (tf.constant(2),))
    tiff = segment + 10
    is_little = byte(tiff) == ord("I")

    def number(position: tf.Tensor, count: int) -> tf.Tensor:
        parts = [byte(position + i) for i in range(count)]
        little = tf.add_n([part * 256**i for i, part in enumerate(parts[:3])])  # offsets are below 2²⁴
        big = tf.add_n([part * 256**i for i, part in enumerate(parts[::-1][:3])])
        return tf.where(is_little, little, big)

    directory = tiff + number(tiff + 4, 4)
    tags = directory + 2 + 12 * tf.range(tf.minimum(number(directory, 2), MAX_TAGS))
    values = tf.where(number(tags, 2) == ORIENTATION_TAG, number(tags + 8, 2), 0)
    orientation = tf.reduce_max(tf.concat([values, [0]], 0))
    return tf.where(is_exif(segment) & (orientation >= 1) & (orientation <= 8), orientation, 1)


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn and mirror an image `(height, width, 3)` as its orientation asks."""

    def if_one_of(orientations: tuple[int, ...], changed: tf.Tensor, image: tf.Tensor) -> tf.Tensor:
        return tf.cond(tf.reduce_any(orientation == orientations), lambda: changed, lambda: image)

    image = if_one_of((5, 6, 7, 8), tf.transpose(image, (1, 0, 2)), image)
    image = if_one_of((2, 3, 6, 7), image[:, ::-1], image)
    return if_one_of((3, 4, 7, 8), image[::-1], image)
