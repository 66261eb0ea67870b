"""Masks and sunglasses drawn without landmarks: the pose and the box say where mouth and eyes are."""

import tensorflow as tf

from fsanet_tf.data.augmentation_config import BOX_SIDE, FACE_CENTER, RADII
from fsanet_tf.data.random_numbers import BatchRandom
from fsanet_tf.geometry.pose import rotation_matrices

NOSE_COVERED = 0.04  # top edge of a mask as it should be worn, in the same units


def surface_points(
    size: int, poses: tf.Tensor, center: tf.Tensor, side: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Find the point of the head that each pixel shows.

    Args:
        size: Side of the crops in pixels.
        poses: `(batch, 3)`: yaw, pitch, roll in degrees.
        center: `(batch, 2)`: x and y of the face box's center in pixels.
        side: `(batch,)`: side of the face box in pixels.

    Returns:
        Points in the head's axes `(batch, size, size, 3)`, and which pixels show the head.
    """
    rotation = rotation_matrices(poses, tf)  # head to camera
    origin = tf.linalg.matvec(rotation, tf.constant(FACE_CENTER))  # (batch, 3)
    unit = (BOX_SIDE / side)[:, None]
    pixel = tf.range(float(size))
    x = (pixel - center[:, :1]) * unit + origin[:, :1]  # (batch, size)
    y = (pixel - center[:, 1:]) * unit + origin[:, 1:2]
    grid = tf.stack([tf.tile(x[:, None, :], (1, size, 1)), tf.tile(y[:, :, None], (1, 1, size))], axis=-1)
    start = tf.einsum("bhwi,bij->bhwj", grid, rotation[:, :2])  # Rᵀ (x, y, 0)
    direction = rotation[:, 2][:, None, None]  # Rᵀ (0, 0, 1)
    radii = tf.constant(RADII)
    a = tf.reduce_sum((direction / radii) ** 2, -1)
    half_b = tf.reduce_sum(direction * start / radii**2, -1)
    c = tf.reduce_sum((start / radii) ** 2, -1) - 1.0
    discriminant = half_b**2 - a * c
    depth = (-half_b + tf.sqrt(tf.maximum(discriminant, 0.0))) / a  # toward the viewer
    return start + depth[..., None] * direction, discriminant > 0


def random_color(random: BatchRandom, darkest: float, brightest: float) -> tf.Tensor:
    """Draw a color of little saturation per image, `(batch, 3)`."""
    return random.uniform(darkest, brightest, (1,)) * random.uniform(0.7, 1.0, (3,))


def draw_face_mask(
    images: tf.Tensor,
    poses: tf.Tensor,
    center: tf.Tensor,
    side: tf.Tensor,
    color: tf.Tensor,
    top: float = NOSE_COVERED,
) -> tf.Tensor:
    """Cover mouth and nose with cloth.

    Args:
        images: float32 `(batch, size, size, 3)` in [0, 255].
        poses, center, side: As of `surface_points`.
        color: `(batch, 3)`.
        top: Height of the mask's upper edge in the head's axes: larger is lower.
    """
    points, visible = surface_points(images.shape[1], poses, center, side)
    x, y, z = tf.unstack(points, axis=-1)
    covered = visible & (z > 0.05) & (y > top + 0.25 * x**2) & (y < 0.97) & (tf.abs(x) < 0.76)
    folds = 1.0 + 0.08 * tf.sin(22.0 * y)
    shade = (0.55 + 0.45 * tf.clip_by_value(z, 0.0, 1.0)) * folds
    return tf.where(covered[..., None], color[:, None, None] * shade[..., None], images)


def draw_sunglasses(
    images: tf.Tensor,
    poses: tf.Tensor,
    center: tf.Tensor,
    side: tf.Tensor,
    color: tf.Tensor,
    scale: float = 1.0,
) -> tf.Tensor:
    """Cover the eyes with glasses whose lenses are `scale` as large as usual; other arguments as above."""
    points, visible = surface_points(images.shape[1], poses, center, side)
    x, y, z = tf.unstack(points, axis=-1)
    across = (tf.abs(x) - 0.30) / 0.24
    lens = across**2 + ((y + 0.10) / 0.17) ** 2 < scale**2
    frame = (tf.abs(y + 0.16) < 0.025) & (tf.abs(x) < 0.74)
    covered = visible & (((z > 0.1) & lens) | ((z > -0.2) & frame))
    return tf.where(covered[..., None], color[:, None, None] * tf.ones_like(images), images)
