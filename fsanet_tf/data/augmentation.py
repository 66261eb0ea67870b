"""Training augmentation: batches of crops and poses in, augmented ones out.

The original's augmentation comes first; what goes beyond it is off by default. Random numbers come from
stateless seeds, so results are reproducible.
"""

import functools
from collections.abc import Callable

import cv2
import numpy as np
import tensorflow as tf

from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.geometry.pose import mirror_poses, rotate_poses, within_angle

MAX_CUT = 15 / 64  # share of the crop's side that the original cuts off at most
ZOOM_RANGE = (0.8, 1.2)
ZOOM_PROBABILITY = 0.7
MAX_SHARPENING = 1.5  # crops cut from pictures of 450 pixels are as sharp as stored ones sharpened by 1.2


class _Random:
    """Uniform random numbers for a batch; each draw has its own stateless seed."""

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
    images: tf.Tensor,
    poses: tf.Tensor,
    config: AugmentationConfig,
    seed: tf.Tensor,
    image_size: int,
    view: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Augment a batch.

    Args:
        images: uint8 BGR `(batch, S, S, 3)`.
        poses: float32 `(batch, 3)`: yaw, pitch, roll in degrees.
        config: What to apply.
        seed: int `(2,)`; the same seed gives the same result.
        image_size: Side of the result; crops of another size are resized on the way.
        view: float32 `(batch,)`: side of what the network should see of each crop, as a share of the
            crop's side, where crops were cut with different margins; None: the whole crop.

    Returns:
        float32 images `(batch, image_size, image_size, 3)` in [0, 255], and poses.
    """
    random = _Random(tf.shape(images)[0], tf.cast(seed, tf.int32))
    if view is not None or config.mirror or config.rotation_deg or config.borders or config.jitter:
        images, poses = _move(images, poses, config, random, image_size, view)
    elif images.shape[1] != image_size:
        images = tf.image.resize(tf.cast(images, tf.float32), (image_size, image_size))
    images = shift_and_zoom(images, random) if config.original else tf.cast(images, tf.float32)
    if config.color or config.grayscale:
        images = _recolor(images, config, random)
    if config.sharpen:
        amount = random.uniform(0.0, MAX_SHARPENING)
        images = _change_some(images, random.happens(config.sharpen), _sharpen, amount)
    if config.low_resolution:
        side = random.uniform(0.25, 0.75) * image_size
        images = _change_some(images, random.happens(config.low_resolution), _lower_resolution, side)
    if config.blur:
        images = _change_some(images, random.happens(config.blur), _blur)
    if config.jpeg:
        chosen = random.happens(config.jpeg)
        quality = tf.cast(random.uniform(10.0, 60.0), tf.int32)
        images = _change_some(images, chosen, _compress, quality)
    if config.erase:
        images = _erase(images, config.erase, random)
    return images, poses


# The original's augmentation


def shift_and_zoom(images: tf.Tensor, random: _Random) -> tf.Tensor:
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
    source = tf.where(_within(target, paste_start, size - cut), source, -1.0)
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


def _within(pixel: tf.Tensor, start: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
    """Return which pixels lie in [start, start + length), `(batch, size)`."""
    return (pixel >= start[:, None]) & (pixel < (start + length)[:, None])


# Beyond the original


def _move(images, poses, config: AugmentationConfig, random: _Random, image_size: int, view):
    """Mirror, rotation, borders, jitter, a common view and resizing, in one resampling of the images."""
    mirrored = random.happens(config.mirror)
    turn = random.uniform(-config.rotation_deg, config.rotation_deg)
    poses, turn = tf.numpy_function(_moved_poses, [poses, mirrored, turn], (tf.float32, tf.float32))
    poses.set_shape((None, 3))
    turn.set_shape((None,))
    border = tf.where(random.happens(config.borders), random.uniform(0.0, config.max_border), 0.0)
    jitter = random.uniform(-config.jitter, config.jitter, (4,))  # scale, aspect, x, y
    black = random.happens(0.5)

    source = images.shape[1]
    step = (1 + 2 * border) * (1 + jitter[:, 0]) * source / image_size  # source pixels per target pixel
    shift = jitter[:, 2:] * source  # source pixels
    if view is not None:
        step, shift = step * view, shift * view[:, None]
    step_x, step_y = step * (1 + jitter[:, 1] / 2), step * (1 - jitter[:, 1] / 2)
    flip = tf.where(mirrored, -1.0, 1.0)
    cos, sin = tf.cos(turn * (np.pi / 180)), tf.sin(turn * (np.pi / 180))
    # Target to source around the centers: rotate back (counterclockwise), then scale, then mirror.
    matrix = [flip * step_x * cos, flip * step_x * sin, -step_y * sin, step_y * cos]
    target_center, source_center = (image_size - 1) / 2, (source - 1) / 2
    x0 = source_center + shift[:, 0] - (matrix[0] + matrix[1]) * target_center
    y0 = source_center + shift[:, 1] - (matrix[2] + matrix[3]) * target_center
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
    outside = tf.maximum(tf.abs(source_x - source_center), tf.abs(source_y - source_center)) > source / 2
    if config.background:
        replaced = outside & random.happens(config.background)[:, None, None]
        images = tf.where(replaced[..., None], tf.roll(images, 1, axis=0), images)
        outside &= ~replaced
    images *= 1.0 - tf.cast(outside & black[:, None, None], tf.float32)[..., None]
    return images, poses


def _moved_poses(
    poses: np.ndarray, mirrored: np.ndarray, turn_deg: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Poses after mirror and rotation, and the rotations: 0 where an angle would leave ±99°."""
    poses = np.where(mirrored[:, None], mirror_poses(poses), poses)
    turned = rotate_poses(poses, turn_deg)
    kept = within_angle(turned) & (turn_deg != 0)
    return (
        np.where(kept[:, None], turned, poses).astype(np.float32),
        np.where(kept, turn_deg, 0).astype(np.float32),
    )


def _recolor(images: tf.Tensor, config: AugmentationConfig, random: _Random) -> tf.Tensor:
    """Brightness, contrast, channel gains and grayscale, as one 3×3 matrix and an offset per image."""
    low, high = 1 - config.color, 1 + config.color
    contrast = random.uniform(low, high, (1,))
    gains = random.uniform(low, high, (1,)) * random.uniform((1 + low) / 2, (1 + high) / 2, (3,))
    gray = tf.constant([[0.114], [0.587], [0.299]]) * tf.ones((1, 3))  # of BGR
    mixing = tf.where(random.happens(config.grayscale)[:, None, None], gray, tf.eye(3))
    matrix = mixing * (contrast * gains)[:, None, :]
    mean = tf.reduce_mean(images, axis=(1, 2, 3))[:, None]
    offset = mean * (1 - contrast) * gains
    size = images.shape[1]
    pixels = tf.matmul(tf.reshape(images, (-1, size * size, 3)), matrix) + offset[:, None, :]
    return tf.reshape(tf.clip_by_value(pixels, 0.0, 255.0), (-1, size, size, 3))


def _change_some(images: tf.Tensor, chosen: tf.Tensor, change: Callable, *arguments: tf.Tensor) -> tf.Tensor:
    """Apply `change` to the chosen images, each with its own row of the arguments; the rest cost nothing."""

    def changed() -> tf.Tensor:
        rows = tf.where(chosen)  # (number chosen, 1)
        results = change(*(tf.gather_nd(tensor, rows) for tensor in (images, *arguments)))
        return tf.tensor_scatter_nd_update(images, rows, results)

    return tf.cond(tf.reduce_any(chosen), changed, lambda: images)


def _lower_resolution(images: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
    """Reduce images to `side` pixels `(batch,)` and enlarge them again; each axis is one matrix per image."""
    size = images.shape[1]
    # Down: triangle filter of a coarse pixel's width; up: linear interpolation. (batch, size, size)
    pixel = tf.range(float(size))
    step = size / side  # fine pixels per coarse pixel
    coarse = (pixel + 0.5)[None, :] * step[:, None] - 0.5  # centers of the coarse pixels, in fine pixels
    down = tf.maximum(1.0 - tf.abs(coarse[:, :, None] - pixel) / step[:, None, None], 0.0)
    down = tf.math.divide_no_nan(down, tf.reduce_sum(down, -1, keepdims=True))
    last = tf.math.ceil(side) - 1.0
    source = tf.clip_by_value((pixel[None, :] + 0.5) / step[:, None] - 0.5, 0.0, last[:, None])
    up = tf.maximum(1.0 - tf.abs(source[:, :, None] - pixel), 0.0)
    axis = tf.matmul(up, down)
    images = tf.einsum("byi,bixc->byxc", axis, images)
    return tf.einsum("bxj,byjc->byxc", axis, images)


def _sharpen(images: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    """Unsharp masking by an amount per image, `(batch,)`."""
    details = images - _blur(images)
    return tf.clip_by_value(images + amount[:, None, None, None] * details, 0.0, 255.0)


def _blur(images: tf.Tensor) -> tf.Tensor:
    binomial = tf.constant([1.0, 2.0, 1.0]) / 4
    kernel = tf.tile((binomial[:, None] * binomial)[:, :, None, None], (1, 1, 3, 1))
    padded = tf.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), "REFLECT")
    return tf.nn.depthwise_conv2d(padded, kernel, (1, 1, 1, 1), "VALID")


def _compress(images: tf.Tensor, quality: tf.Tensor) -> tf.Tensor:
    """Encode images as JPEG of the given qualities, int `(batch,)`, and decode them again."""

    # Not OpenCV in a numpy_function: a thread that waits there for the GIL keeps the process from ending.
    def compress(item: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        image, quality = item
        return tf.image.adjust_jpeg_quality(tf.cast(tf.round(image), tf.uint8), quality)

    compressed = tf.map_fn(compress, (images, quality), fn_output_signature=tf.uint8)
    return tf.cast(tf.ensure_shape(compressed, images.shape), tf.float32)


def _erase(images: tf.Tensor, probability: float, random: _Random) -> tf.Tensor:
    size = images.shape[1]
    side = tf.where(random.happens(probability)[:, None], random.uniform(0.1, 0.5, (2,)), 0.0) * size
    start = random.uniform(shape=(2,)) * (size - side)
    pixel = tf.range(float(size))
    vertical, horizontal = (_within(pixel, start[:, i], side[:, i]) for i in (0, 1))
    erased = vertical[:, :, None] & horizontal[:, None, :]
    return tf.where(erased[..., None], random.uniform(0.0, 255.0, (1, 1, 1)), images)
