"""Training augmentation: batches of crops and poses in, augmented ones with all targets out.

The original's augmentation is on by default, what goes beyond it is off. Random numbers come from stateless
seeds, so results are reproducible.
"""

import tensorflow as tf

from fsanet_tf.data.augmentation_accessories import draw_face_mask, draw_sunglasses, random_color
from fsanet_tf.data.augmentation_config import AUGMENTATIONS, AugmentationConfig
from fsanet_tf.data.augmentation_geometry import Moved, cover_strips, move
from fsanet_tf.data.augmentation_original import shift_and_zoom
from fsanet_tf.data.augmentation_pixels import change_pixels
from fsanet_tf.data.random_numbers import BatchRandom, change_some
from fsanet_tf.networks.card import BOX_OFFSET, FACE_SCORE, POSE

FACE_SHARE = 1 / 1.58  # of the side of a crop with a margin of 0.29


def augment(
    images: tf.Tensor,
    poses: tf.Tensor,
    config: AugmentationConfig,
    seed: tf.Tensor,
    image_size: int,
    view: tf.Tensor | None = None,
    face_share: float = FACE_SHARE,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Augment a batch.

    Args:
        images: uint8 BGR `(batch, S, S, 3)`.
        poses: float32 `(batch, 3)`: yaw, pitch, roll in degrees.
        config: What to apply.
        seed: int `(2,)`; the same seed gives the same result.
        image_size: Side of the result; crops of another size are resized on the way.
        view: float32 `(batch,)`: side of what the network should see of each crop, as a share of the
            crop's side, where crops were cut with different margins; None: the whole crop.
        face_share: Side of the face box as a share of that of an unmoved crop.

    Returns:
        float32 images `(batch, image_size, image_size, 3)` in [0, 255], and targets by output: `pose`
        `(batch, 3)`, `box_offset` `(batch, 3)` and `face_score` `(batch,)`, 0 or 1.
    """
    random = BatchRandom(tf.shape(images)[0], tf.cast(seed, tf.int32))
    moves = (config.flip, config.rotation_deg, config.borders, config.jitter, config.shift, config.faceless)
    if view is not None or any(moves):
        moved = move(images, poses, config, random, image_size, view)
    else:
        if images.shape[1] != image_size:
            images = tf.image.resize(tf.cast(images, tf.float32), (image_size, image_size))
        batch = tf.shape(poses)[0]
        moved = Moved(images, poses, tf.zeros((batch, 3)), tf.ones((batch,), tf.bool))
    images = shift_and_zoom(moved.images, random) if config.original else tf.cast(moved.images, tf.float32)
    images = _cover(images, moved, config, random, face_share)
    images = change_pixels(images, config, random)
    for name in config.augmentations:
        images = AUGMENTATIONS.find(name)(images, random.next_seed())
    score = tf.cast(moved.has_face, tf.float32)
    return images, {POSE: moved.poses, BOX_OFFSET: moved.offset, FACE_SCORE: score}


def _cover(
    images: tf.Tensor, moved: Moved, config: AugmentationConfig, random: BatchRandom, face_share: float
) -> tf.Tensor:
    """Cover parts of the crop around the face, and of the face."""
    size = images.shape[1]
    center = (moved.offset[:, :2] + 0.5) * size - 0.5
    side = face_share * size * tf.exp(moved.offset[:, 2])
    if config.strips:
        images = cover_strips(images, center, side, config.strips, random)
    for probability, draw, brightest in (
        (config.face_mask, draw_face_mask, 255.0),
        (config.sunglasses, draw_sunglasses, 60.0),
    ):
        if probability:
            chosen = random.happens(probability) & moved.has_face
            color = random_color(random, 0.0, brightest)
            images = change_some(images, chosen, draw, moved.poses, center, side, color)
    return images
