"""Corrupted faces: covered, badly lit, noisy, coarse, blurred, compressed or gray, always the same."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from fsanet_tf.data import augmentation_pixels as pixels
from fsanet_tf.data.augmentation_accessories import draw_face_mask, draw_sunglasses, random_color
from fsanet_tf.data.random_numbers import BatchRandom
from fsanet_tf.evaluation.config import CORRUPTIONS

# A hand, pointing up: segments from, to, and radius, in sides of the face box from the middle of the palm.
HAND = (
    ((0.55, 1.2), (0.08, 0.18), 0.13),  # forearm
    ((0.06, 0.12), (-0.02, -0.06), 0.2),  # palm
    ((-0.12, -0.12), (-0.26, -0.44), 0.055),
    ((-0.05, -0.16), (-0.14, -0.54), 0.057),
    ((0.04, -0.17), (0.0, -0.54), 0.057),
    ((0.12, -0.14), (0.13, -0.45), 0.05),
    ((-0.12, 0.08), (-0.36, -0.1), 0.062),  # thumb
)
PALMS = {1.0: (0.42, 0.52), 2.0: (0.26, 0.36), 3.0: (0.12, 0.18)}  # from the middle of the face box
CLOTH, DARK_GLASS = ((90.0, 255.0), (10.0, 50.0))  # ranges of brightness


class Faces(NamedTuple):
    """Faces in the middle of square pictures.

    Attributes:
        images: float32 BGR `(N, S, S, 3)` in [0, 255].
        poses: float32 `(N, 3)`: yaw, pitch, roll in degrees.
        center: float32 `(N, 2)`: x and y of the face boxes' centers in pixels.
        side: float32 `(N,)`: sides of the face boxes in pixels.
        random: Random numbers, the same for each strength.
    """

    images: tf.Tensor
    poses: tf.Tensor
    center: tf.Tensor
    side: tf.Tensor
    random: BatchRandom

    def all(self, value: float) -> tf.Tensor:
        """Return a value for each face, `(N,)`."""
        return tf.fill(tf.shape(self.side), tf.constant(value, tf.float32))


def corrupt(
    images: np.ndarray, poses: np.ndarray, corruption: str, strength: int, face_share: float, seed: int = 0
) -> np.ndarray:
    """Corrupt pictures of faces.

    Args:
        images: uint8 BGR `(N, S, S, 3)`, with the face boxes in their middle.
        poses: `(N, 3)`: yaw, pitch, roll in degrees, by which masks and glasses are drawn.
        corruption: A name of `fsanet_tf.evaluation.config.CORRUPTIONS`.
        strength: 1, 2 or 3.
        face_share: Side of the face boxes as a share of the pictures' side.
        seed: Of colors, places and noise; equal seeds return equal pictures.

    Returns:
        uint8 BGR `(N, S, S, 3)`.
    """
    count, size = images.shape[:2]
    faces = Faces(
        tf.cast(images, tf.float32),
        tf.cast(poses, tf.float32),
        tf.fill((count, 2), size / 2 - 0.5),
        tf.fill((count,), face_share * size),
        BatchRandom(tf.constant(count), tf.constant([seed, 0])),
    )
    changed = CHANGES[corruption](faces, CORRUPTIONS[corruption].values[strength - 1])
    return np.clip(np.round(changed.numpy()), 0, 255).astype(np.uint8)


def _wear(
    faces: Faces, draw: Callable[..., tf.Tensor], brightness: tuple[float, float], size: float
) -> tf.Tensor:
    """Draw a mask or glasses of a random color."""
    color = random_color(faces.random, *brightness)
    return draw(faces.images, faces.poses, faces.center, faces.side, color, size)


def _hand(faces: Faces, step: float) -> tf.Tensor:
    """Lay a hand of the face's color over it, from below on either side."""
    size = faces.images.shape[1]
    places = (tf.range(float(size)) - size / 2 + 0.5) / faces.side[:, None]  # (N, S), in face boxes
    x = places * tf.where(faces.random.happens(0.5), 1.0, -1.0)[:, None]
    points = tf.stack([tf.repeat(x[:, None], size, 1), tf.repeat(places[:, :, None], size, 2)], -1)
    points -= tf.constant(PALMS[step])
    height = tf.fill(tf.shape(points)[:3], -1.0)
    for start, end, radius in HAND:
        direction = tf.constant(end) - tf.constant(start)
        along = tf.reduce_sum((points - start) * direction, -1) / tf.reduce_sum(direction**2)
        nearest = start + tf.clip_by_value(along, 0.0, 1.0)[..., None] * direction
        height = tf.maximum(height, 1 - tf.reduce_sum((points - nearest) ** 2, -1) / radius**2)
    inner = slice(round(0.4 * size), round(0.6 * size))
    skin = tf.reduce_mean(faces.images[:, inner, inner], (1, 2))[:, None, None]
    shaded = skin * (0.55 + 0.45 * tf.sqrt(tf.maximum(height, 0.0)))[..., None]
    return tf.where((height > 0)[..., None], shaded, faces.images)


def _block(faces: Faces, share: float) -> tf.Tensor:
    """Cover a square of one color somewhere within the face box."""
    side = share * faces.side
    corner = faces.center - faces.side[:, None] / 2
    start = corner + faces.random.uniform(shape=(2,)) * (faces.side - side)[:, None]
    return pixels.cover_rectangle(faces.images, start, tf.stack([side, side], axis=1), faces.random)


def _low_resolution(faces: Faces, side: float) -> tf.Tensor:
    size = faces.images.shape[1]
    return pixels.lower_resolution(faces.images, tf.minimum(side / faces.side, 1.0) * size)


def _gray(faces: Faces, share: float) -> tf.Tensor:
    return share * tf.matmul(faces.images, tf.constant(pixels.GRAY)) + (1 - share) * faces.images


CHANGES: dict[str, Callable[[Faces, float], tf.Tensor]] = {
    "face_mask": lambda faces, top: _wear(faces, draw_face_mask, CLOTH, top),
    "sunglasses": lambda faces, scale: _wear(faces, draw_sunglasses, DARK_GLASS, scale),
    "hand": _hand,
    "block": _block,
    "dark": lambda faces, gain: pixels.expose(faces.images, faces.all(gain), faces.all(0.0)),
    "gamma": lambda faces, gamma: pixels.change_gamma(faces.images, faces.all(gamma)),
    "overexposed": lambda faces, gain: pixels.expose(
        faces.images, faces.all(gain), faces.all(60 * (gain - 1))
    ),
    "noise": lambda faces, deviation: pixels.add_noise(
        faces.images, faces.all(deviation), faces.random.next_seed()
    ),
    "low_resolution": _low_resolution,
    "motion_blur": lambda faces, share: pixels.smear(
        faces.images, share * faces.side, faces.random.happens(0.5)
    ),
    "jpeg": lambda faces, quality: pixels.compress(faces.images, tf.cast(faces.all(quality), tf.int32)),
    "gray": _gray,
}
