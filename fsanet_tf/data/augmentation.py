"""Training augmentation: batches of crops in, batches of changed crops and poses out.

The original's augmentation comes first; what goes beyond it is off by default. Everything is drawn
from stateless seeds, so one seed always gives one result.
"""

import functools

import cv2
import numpy as np
import tensorflow as tf

from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.dataset import is_moderate
from fsanet_tf.pose import mirror_poses, rotate_poses

MAX_CUT = 15 / 64  # share of the crop's side that the original cuts off at most
ZOOM_RANGE = (0.8, 1.2)
ZOOM_PROBABILITY = 0.7


class _Random:
    """Uniform draws for a batch; each draw has its own stateless seed."""

    def __init__(self, batch: tf.Tensor, seed: tf.Tensor):
        self.batch = batch
        self.seed = seed
        self.draws = 0

    def uniform(self, low: float = 0.0, high: float = 1.0, shape: tuple[int, ...] = ()) -> tf.Tensor:
        self.draws += 1
        seed = tf.random.fold_in(self.seed, self.draws)
        return tf.random.stateless_uniform((self.batch, *shape), seed, low, high)

    def happens(self, probability: float) -> tf.Tensor:
        return self.uniform() < probability


def augment(
    images: tf.Tensor, poses: tf.Tensor, config: AugmentationConfig, seed: tf.Tensor, image_size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Change a batch at random.

    Args:
        images: uint8 `(batch, S, S, 3)` BGR.
        poses: float32 `(batch, 3)` yaw, pitch, roll in degrees.
        config: what to do.
        seed: int `(2,)`; the same seed gives the same result.
        image_size: side of the result; crops of another size are resized on the way.

    Returns:
        float32 images `(batch, image_size, image_size, 3)` in [0, 255], and poses.
    """
    random = _Random(tf.shape(images)[0], tf.cast(seed, tf.int32))
    if config.mirror or config.rotation_deg or config.borders or config.jitter:
        images, poses = _move(images, poses, config, random, image_size)
    elif images.shape[1] != image_size:
        images = tf.image.resize(tf.cast(images, tf.float32), (image_size, image_size))
    images = shift_and_zoom(images, random) if config.original else tf.cast(images, tf.float32)
    if config.colour or config.greyscale:
        images = _recolour(images, config, random)
    if config.blur:
        images = _blur_some(images, random.happens(config.blur))
    if config.erase:
        images = _erase(images, config.erase, random)
    return images, poses


# The original's augmentation


def shift_and_zoom(images: tf.Tensor, random: _Random) -> tf.Tensor:
    """A quarter each: a random crop resized, the same pasted elsewhere on black, on white, or nothing;
    then, with probability 0.7, a zoom of each axis.

    Every step samples rows and columns apart, so an axis' steps are one matrix, and a picture is two
    matrix products. What the matrices leave out is filled with white at the end.

    Source: the original's `random_crop`, `random_crop_black`, `random_crop_white` and Keras's
    `random_zoom`. The one difference: a resized crop is not rounded before it is zoomed.
    """
    size = images.shape[1]
    branch = tf.cast(random.uniform(0.0, 4.0), tf.int32)
    cut = 1.0 + tf.floor(random.uniform(0.0, num_cuts(size)))  # dn
    zoomed = random.happens(ZOOM_PROBABILITY)

    def axis_matrix() -> tf.Tensor:
        """Target rows from source rows, or columns from columns: `(batch, size, size)`."""
        start, paste_start = (tf.floor(random.uniform() * cut) for _ in range(2))
        zoom = tf.where(zoomed, random.uniform(*ZOOM_RANGE), 1.0)
        return tf.matmul(_zoom_matrix(zoom, size), _shift_matrix(branch, start, paste_start, cut, size))

    across, down = axis_matrix(), axis_matrix()
    columns = tf.cast(tf.transpose(images, (0, 2, 1, 3)), tf.float32)  # cheaper while they are bytes
    columns = tf.einsum("bxj,bjic->bxic", across, columns)
    rows = tf.transpose(columns, (0, 2, 1, 3))
    rows = tf.einsum("byi,bixc->byxc", down, rows)
    covered = tf.reduce_sum(down, -1)[:, :, None] * tf.reduce_sum(across, -1)[:, None, :]
    background = tf.where(branch == 2, 255.0, 0.0)[:, None, None] * (1.0 - covered)
    return tf.raw_ops.ClipByValue(t=rows + background[..., None], clip_value_min=0.0, clip_value_max=255.0)


def num_cuts(size: int) -> int:
    """How many pixels may be cut off a crop of `size`: 15 of 64, at least one."""
    return max(1, int(MAX_CUT * size))


def _shift_matrix(
    branch: tf.Tensor, start: tf.Tensor, paste_start: tf.Tensor, cut: tf.Tensor, size: int
) -> tf.Tensor:
    """What the branches do along an axis: resize what is left after a cut, move it, or nothing.

    Rows outside a moved crop stay empty.
    """
    cut_and_start = tf.cast(tf.stack([cut - 1.0, start], axis=1), tf.int32)
    resized = tf.gather_nd(_cubic_matrices(size), cut_and_start)
    target = tf.range(float(size))
    source = target + (start - paste_start)[:, None]
    source = tf.where(_within(target, paste_start, size - cut), source, -1.0)
    source = tf.where((branch == 3)[:, None], target, source)
    moved = tf.one_hot(tf.cast(source, tf.int32), size)
    return tf.where((branch == 0)[:, None, None], resized, moved)


@functools.cache
def _cubic_matrices(size: int) -> np.ndarray:
    """For each cut and start, the matrix by which OpenCV resizes [start, start + size − cut) to `size`.

    `(cuts, starts, size, size)`, the first index a cut of 1; OpenCV's own, by what it does to the
    unit vectors.
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
    """Samples at `zoom` times the step about the centre (linear; above 1 the edge is repeated)."""
    centre = (size - 1) / 2
    source = zoom[:, None] * (tf.range(float(size)) - centre) + centre
    source = tf.clip_by_value(source, 0.0, size - 1.0)
    return tf.maximum(1.0 - tf.abs(source[..., None] - tf.range(float(size))), 0.0)


def _within(pixel: tf.Tensor, start: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Which pixels lie in [start, start + length), `(batch, size)`."""
    return (pixel >= start[:, None]) & (pixel < (start + length)[:, None])


# Beyond the original


def _move(images, poses, config: AugmentationConfig, random: _Random, image_size: int):
    """Mirror, turn, borders, jitter and resizing, in one sampling of the pictures."""
    mirrored = random.happens(config.mirror)
    turn = random.uniform(-config.rotation_deg, config.rotation_deg)
    poses, turn = tf.numpy_function(_moved_poses, [poses, mirrored, turn], (tf.float32, tf.float32))
    poses.set_shape((None, 3))
    turn.set_shape((None,))
    border = tf.where(random.happens(config.borders), random.uniform(0.0, config.max_border), 0.0)
    jitter = random.uniform(-config.jitter, config.jitter, (4,))  # scale, aspect, x, y
    black = random.happens(0.5)

    source = images.shape[1]
    step = (1 + 2 * border) * (1 + jitter[:, 0]) * source / image_size  # source pixels a target pixel
    step_x, step_y = step * (1 + jitter[:, 1] / 2), step * (1 - jitter[:, 1] / 2)
    flip = tf.where(mirrored, -1.0, 1.0)
    cos, sin = tf.cos(turn * (np.pi / 180)), tf.sin(turn * (np.pi / 180))
    # Target to source about the centres: first turn back (counterclockwise), then scale, then mirror.
    matrix = [flip * step_x * cos, flip * step_x * sin, -step_y * sin, step_y * cos]
    target_centre, source_centre = (image_size - 1) / 2, (source - 1) / 2
    x0 = source_centre + jitter[:, 2] * source - (matrix[0] + matrix[1]) * target_centre
    y0 = source_centre + jitter[:, 3] * source - (matrix[2] + matrix[3]) * target_centre
    zero = tf.zeros_like(x0)
    images = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=tf.stack([matrix[0], matrix[1], x0, matrix[2], matrix[3], y0, zero, zero], axis=1),
        output_shape=(image_size, image_size),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
    images.set_shape((None, image_size, image_size, 3))
    pixel = tf.range(float(image_size))
    x, y = pixel[None, None, :], pixel[None, :, None]
    source_x, source_y = (
        across[:, None, None] * x + down[:, None, None] * y + offset[:, None, None]
        for across, down, offset in ((matrix[0], matrix[1], x0), (matrix[2], matrix[3], y0))
    )
    outside = tf.maximum(tf.abs(source_x - source_centre), tf.abs(source_y - source_centre)) > source / 2
    images *= 1.0 - tf.cast(outside & black[:, None, None], tf.float32)[..., None]
    return images, poses


def _moved_poses(
    poses: np.ndarray, mirrored: np.ndarray, turn_deg: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The poses after mirror and turn, and the turns: none where an angle would leave ±99°."""
    poses = np.where(mirrored[:, None], mirror_poses(poses), poses)
    turned = rotate_poses(poses, turn_deg)
    kept = is_moderate(turned) & (turn_deg != 0)
    return (
        np.where(kept[:, None], turned, poses).astype(np.float32),
        np.where(kept, turn_deg, 0).astype(np.float32),
    )


def _recolour(images: tf.Tensor, config: AugmentationConfig, random: _Random) -> tf.Tensor:
    """Brightness, contrast, channel gains and greyscale, as one 3×3 matrix and an offset a picture."""
    low, high = 1 - config.colour, 1 + config.colour
    contrast = random.uniform(low, high, (1,))
    gains = random.uniform(low, high, (1,)) * random.uniform((1 + low) / 2, (1 + high) / 2, (3,))
    grey = tf.constant([[0.114], [0.587], [0.299]]) * tf.ones((1, 3))  # of BGR
    mixing = tf.where(random.happens(config.greyscale)[:, None, None], grey, tf.eye(3))
    matrix = mixing * (contrast * gains)[:, None, :]
    mean = tf.reduce_mean(images, axis=(1, 2, 3))[:, None]
    offset = mean * (1 - contrast) * gains
    size = images.shape[1]
    pixels = tf.matmul(tf.reshape(images, (-1, size * size, 3)), matrix) + offset[:, None, :]
    return tf.reshape(tf.clip_by_value(pixels, 0.0, 255.0), (-1, size, size, 3))


def _blur_some(images: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    rows = tf.where(chosen)
    binomial = tf.constant([1.0, 2.0, 1.0]) / 4
    kernel = tf.tile((binomial[:, None] * binomial)[:, :, None, None], (1, 1, 3, 1))
    padded = tf.pad(tf.gather_nd(images, rows), ((0, 0), (1, 1), (1, 1), (0, 0)), "REFLECT")
    blurred = tf.nn.depthwise_conv2d(padded, kernel, (1, 1, 1, 1), "VALID")
    return tf.tensor_scatter_nd_update(images, rows, blurred)


def _erase(images: tf.Tensor, probability: float, random: _Random) -> tf.Tensor:
    size = images.shape[1]
    side = tf.where(random.happens(probability)[:, None], random.uniform(0.1, 0.5, (2,)), 0.0) * size
    start = random.uniform(shape=(2,)) * (size - side)
    pixel = tf.range(float(size))
    vertical, horizontal = (_within(pixel, start[:, i], side[:, i]) for i in (0, 1))
    erased = vertical[:, :, None] & horizontal[:, None, :]
    return tf.where(erased[..., None], random.uniform(0.0, 255.0, (1, 1, 1)), images)
