"""Mirror, rotation, borders, shift and zoom of crops in one resampling, and where the faces then are."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.random_numbers import BatchRandom
from fsanet_tf.geometry.pose import mirror_poses, rotate_poses, within_angle

MOSAIC_BLOCKS = 4  # per side
PATTERN_SIDE = 5
PIECE, BACKGROUND, MOSAIC, PATTERN = range(4)  # kinds of crops without a face


class Moved(NamedTuple):
    """Crops after their move.

    Attributes:
        images: float32 `(batch, size, size, 3)`.
        poses: `(batch, 3)` in degrees.
        offset: `(batch, 3)`: x and y of the face box's center as shares of the crop's side, from its center,
            and the logarithm of the box's size relative to an unmoved crop's: the output `box_offset`.
        has_face: bool `(batch,)`.
    """

    images: tf.Tensor
    poses: tf.Tensor
    offset: tf.Tensor
    has_face: tf.Tensor


def move(
    images: tf.Tensor,
    poses: tf.Tensor,
    config: AugmentationConfig,
    random: BatchRandom,
    image_size: int,
    view: tf.Tensor | None,
) -> Moved:
    """Move a batch of crops; the arguments are those of `augment`."""
    mirrored = random.happens(config.flip)
    turn = random.uniform(-config.rotation_deg, config.rotation_deg)
    poses, turn = tf.numpy_function(_moved_poses, [poses, mirrored, turn], (tf.float32, tf.float32))
    poses.set_shape((None, 3))
    turn.set_shape((None,))
    border = tf.where(random.happens(config.borders), random.uniform(0.0, config.max_border), 0.0)
    jitter = random.uniform(-config.jitter, config.jitter, (4,))  # scale, aspect, x, y
    is_far = random.happens(0.5)
    zoom = tf.where(is_far, random.uniform(-config.zoom, config.zoom), 0.0)
    shift = jitter[:, 2:] + tf.where(is_far[:, None], random.uniform(-config.shift, config.shift, (2,)), 0.0)
    scale = (1 + 2 * border) * (1 + jitter[:, 0]) * tf.exp(zoom)  # sides of an unmoved crop
    faceless = random.happens(config.faceless)
    kind = tf.where(faceless, tf.cast(random.uniform(0.0, 4.0), tf.int32), -1)
    if config.faceless:
        scale = tf.where(kind == PIECE, random.uniform(0.18, 0.4), scale)
        direction = random.uniform(0.0, 2 * np.pi)
        away = tf.stack([tf.cos(direction), tf.sin(direction)], axis=1) * random.uniform(0.8, 1.3, (1,))
        shift = tf.where((kind == PIECE)[:, None], random.uniform(-0.45, 0.45, (2,)) / scale[:, None], shift)
        shift = tf.where((kind == BACKGROUND)[:, None], away, shift)

    source = images.shape[1]
    side = scale * source if view is None else scale * source * view  # of the window, in source pixels
    step = side / image_size  # source pixels per target pixel
    shift_px = shift * side[:, None]
    step_x, step_y = step * (1 + jitter[:, 1] / 2), step * (1 - jitter[:, 1] / 2)
    flip = tf.where(mirrored, -1.0, 1.0)
    cos, sin = tf.cos(turn * (np.pi / 180)), tf.sin(turn * (np.pi / 180))
    # Target to source around the centers: rotate back (counterclockwise), then scale, then mirror.
    matrix = [flip * step_x * cos, flip * step_x * sin, -step_y * sin, step_y * cos]
    target_center, source_center = (image_size - 1) / 2, (source - 1) / 2
    x0 = source_center + shift_px[:, 0] - (matrix[0] + matrix[1]) * target_center
    y0 = source_center + shift_px[:, 1] - (matrix[2] + matrix[3]) * target_center
    zero = tf.zeros_like(x0)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.stack([matrix[0], matrix[1], x0, matrix[2], matrix[3], y0, zero, zero], axis=1),
        output_shape=(image_size, image_size),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST" if config.shift else "REFLECT",  # reflected faces would be two
    )
    moved.set_shape((None, image_size, image_size, 3))
    outside = _outside(matrix, x0, y0, image_size, source)
    moved = _fill(moved, outside, config, random, kind)
    if config.faceless:
        moved = _without_face(moved, kind, random)
    determinant = matrix[0] * matrix[3] - matrix[1] * matrix[2]
    across = -(matrix[3] * shift_px[:, 0] - matrix[1] * shift_px[:, 1]) / determinant / image_size
    down = -(matrix[0] * shift_px[:, 1] - matrix[2] * shift_px[:, 0]) / determinant / image_size
    return Moved(moved, poses, tf.stack([across, down, -tf.math.log(scale)], axis=1), ~faceless)


def _moved_poses(
    poses: np.ndarray, mirrored: np.ndarray, turn_deg: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return poses after mirror and rotation, and the rotations: 0 where an angle would leave ±99°."""
    poses = np.where(mirrored[:, None], mirror_poses(poses), poses)
    turned = rotate_poses(poses, turn_deg)
    kept = within_angle(turned) & (turn_deg != 0)
    return (
        np.where(kept[:, None], turned, poses).astype(np.float32),
        np.where(kept, turn_deg, 0).astype(np.float32),
    )


def _outside(matrix: list[tf.Tensor], x0: tf.Tensor, y0: tf.Tensor, size: int, source: int) -> tf.Tensor:
    """Return which target pixels lie outside the source, `(batch, size, size)`."""
    pixel = tf.range(float(size))
    x, y = pixel[None, None, :], pixel[None, :, None]
    source_x, source_y = (
        across[:, None, None] * x + down[:, None, None] * y + start[:, None, None]
        for across, down, start in ((matrix[0], matrix[1], x0), (matrix[2], matrix[3], y0))
    )
    center = (source - 1) / 2
    return tf.maximum(tf.abs(source_x - center), tf.abs(source_y - center)) > source / 2


def _fill(
    images: tf.Tensor, outside: tf.Tensor, config: AugmentationConfig, random: BatchRandom, kind: tf.Tensor
) -> tf.Tensor:
    """Fill what lies outside with another crop of the batch, with black, or leave it."""
    black = random.happens(0.5)
    if config.background:
        chosen = random.happens(config.background) & (kind != BACKGROUND)  # the other crop has a face
        replaced = outside & chosen[:, None, None]
        images = tf.where(replaced[..., None], tf.roll(images, 1, axis=0), images)
        outside &= ~replaced
    return images * (1.0 - tf.cast(outside & black[:, None, None], tf.float32)[..., None])


def _without_face(images: tf.Tensor, kind: tf.Tensor, random: BatchRandom) -> tf.Tensor:
    """Turn the chosen images into mosaics of their blocks or smooth patterns."""
    size = images.shape[1]
    block = size // MOSAIC_BLOCKS
    blocks = tf.reshape(images, (-1, MOSAIC_BLOCKS, block, MOSAIC_BLOCKS, block, 3))
    blocks = tf.reshape(tf.transpose(blocks, (0, 1, 3, 2, 4, 5)), (-1, MOSAIC_BLOCKS**2, block, block, 3))
    order = tf.argsort(random.uniform(shape=(MOSAIC_BLOCKS**2,)), axis=1)
    blocks = tf.reshape(
        tf.gather(blocks, order, batch_dims=1), (-1, MOSAIC_BLOCKS, MOSAIC_BLOCKS, block, block, 3)
    )
    mosaic = tf.reshape(tf.transpose(blocks, (0, 1, 3, 2, 4, 5)), (-1, size, size, 3))
    coarse = random.uniform(0.0, 255.0, (PATTERN_SIDE, PATTERN_SIDE, 3))
    pattern = tf.image.resize(coarse, (size, size), "bicubic")
    images = tf.where((kind == MOSAIC)[:, None, None, None], mosaic, images)
    return tf.where((kind == PATTERN)[:, None, None, None], tf.clip_by_value(pattern, 0.0, 255.0), images)


def cover_strips(
    images: tf.Tensor, center: tf.Tensor, side: tf.Tensor, probability: float, random: BatchRandom
) -> tf.Tensor:
    """Cover a random part of what lies between the crop's edges and the face box.

    Padding beyond a picture's edge would tell a network where the face is; padding of random width does not.

    Args:
        images: float32 `(batch, size, size, 3)`.
        center: `(batch, 2)`: x and y of the face box's center in pixels.
        side: `(batch,)`: side of the face box in pixels.
        probability: Of each of the four strips.
        random: Random numbers.
    """
    size = images.shape[1]
    pixel = tf.range(float(size))[None]
    covered = []
    for axis in (0, 1):  # x, y
        low = center[:, axis] - side / 2
        high = size - 1 - center[:, axis] - side / 2
        widths = [
            tf.where(random.happens(probability), random.uniform(), 0.0) * tf.maximum(room, 0.0)
            for room in (low, high)
        ]
        covered.append((pixel < widths[0][:, None]) | (pixel > size - 1 - widths[1][:, None]))
    mask = covered[0][:, None, :] | covered[1][:, :, None]
    color = tf.where(random.happens(0.5)[:, None, None, None], 0.0, random.uniform(0.0, 255.0, (1, 1, 3)))
    other = random.happens(0.4)[:, None, None, None]
    fill = tf.where(other, tf.roll(images, 2, axis=0), color * tf.ones_like(images))
    return tf.where(mask[..., None], fill, images)
