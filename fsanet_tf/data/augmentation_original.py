"""The original's augmentation: shifted crops and zoom."""

import functools

import cv2
import numpy as np
import tensorflow as tf

from fsanet_tf.data.random_numbers import BatchRandom

MAX_CUT = 15 / 64  # share of the crop's side that the original cuts off at most
ZOOM_RANGE = (0.8, 1.2)
ZOOM_PROBABILITY = 0.7


def shift_and_zoom(images: tf.Tensor, random: BatchRandom) -> tf.Tensor:
    """Apply the original's shifted crops and zoom.

    With probability ¼ each: a random crop resized; the same crop pasted elsewhere on black; on white;
    nothing. Then, with probability 0.7, a zoom of each axis.

    Every step resamples rows and columns separately, so the steps of an axis are one matrix, and an image
    takes two matrix products. Pixels that the matrices do not cover are filled at the end.

    Reference:
        The original's `random_crop`, `random_crop_black`, `random_crop_white` and Keras's `random_zoom`.
        The one difference: a resized crop is not rounded before it is zoomed.
    """
    size = images.shape[1]
    branch = tf.cast(random.uniform(0.0, 4.0), tf.int32)
    cut = 1.0 + tf.floor(random.uniform(0.0, num_cuts(size)))  # dn
    zoomed = random.happens(ZOOM_PROBABILITY)

    def axis_matrix() -> tf.Tensor:
        """Draw the matrix from source rows (columns) to target rows (columns), `(batch, size, size)`."""
        start, paste_start = (tf.floor(random.uniform() * cut) for _ in range(2))
        zoom = tf.where(zoomed, random.uniform(*ZOOM_RANGE), 1.0)
        return tf.matmul(_zoom_matrix(zoom, size), _shift_matrix(branch, start, paste_start, cut, size))

    across, down = axis_matrix(), axis_matrix()
    columns = tf.cast(tf.transpose(images, (0, 2, 1, 3)), tf.float32)  # cheaper on bytes
    columns = tf.einsum("bxj,bjic->bxic", across, columns)
    rows = tf.transpose(columns, (0, 2, 1, 3))
    rows = tf.einsum("byi,bixc->byxc", down, rows)
    covered = tf.reduce_sum(down, -1)[:, :, None] * tf.reduce_sum(across, -1)[:, None, :]
    background = tf.where(branch == 2, 255.0, 0.0)[:, None, None] * (1.0 - covered)
    return tf.raw_ops.ClipByValue(t=rows + background[..., None], clip_value_min=0.0, clip_value_max=255.0)


def num_cuts(size: int) -> int:
    """Return how many pixels may be cut off a crop of `size`: 15 of 64, at least one."""
    return max(1, int(MAX_CUT * size))


def _shift_matrix(
    branch: tf.Tensor, start: tf.Tensor, paste_start: tf.Tensor, cut: tf.Tensor, size: int
) -> tf.Tensor:
    """Build the matrix of a branch along an axis: resize the crop, move it, or the identity.

    Rows outside a moved crop stay zero.
    """
    cut_and_start = tf.cast(tf.stack([cut - 1.0, start], axis=1), tf.int32)
    resized = tf.gather_nd(_cubic_matrices(size), cut_and_start)
    target = tf.range(float(size))
    source = target + (start - paste_start)[:, None]
    source = tf.where(within(target, paste_start, size - cut), source, -1.0)
    source = tf.where((branch == 3)[:, None], target, source)
    moved = tf.one_hot(tf.cast(source, tf.int32), size)
    return tf.where((branch == 0)[:, None, None], resized, moved)


@functools.cache
def _cubic_matrices(size: int) -> np.ndarray:
    """Return the matrices by which OpenCV resizes [start, start + size − cut) to `size` (bicubic).

    `(cuts, starts, size, size)`, beginning with a cut of 1: OpenCV's results for the unit vectors.
    """
    count = num_cuts(size)
    matrices = np.zeros((count, count, size, size), np.float32)
    for cut in range(1, count + 1):
        side = size - cut
        resize = cv2.resize(np.eye(side, dtype=np.float32), (side, size), interpolation=cv2.INTER_CUBIC)
        for start in range(cut):
            matrices[cut - 1, start, :, start : start + side] = resize
    return matrices


def _zoom_matrix(zoom: tf.Tensor, size: int) -> tf.Tensor:
    """Build the matrix that samples at `zoom` times the step around the center (linear, edge repeated)."""
    center = (size - 1) / 2
    source = zoom[:, None] * (tf.range(float(size)) - center) + center
    source = tf.clip_by_value(source, 0.0, size - 1.0)
    return tf.maximum(1.0 - tf.abs(source[..., None] - tf.range(float(size))), 0.0)


def within(pixel: tf.Tensor, start: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Return which pixels lie in [start, start + length), `(batch, size)`."""
    return (pixel >= start[:, None]) & (pixel < (start + length)[:, None])
