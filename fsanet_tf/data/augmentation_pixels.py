"""Colors, light, sharpness, noise, compression, erased blocks: what cameras and files do to pixels."""

import functools
import math

import tensorflow as tf

from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.augmentation_original import within
from fsanet_tf.data.random_numbers import BatchRandom, change_some

MAX_SHARPENING = 1.5  # crops cut from pictures of 450 pixels are as sharp as stored ones sharpened by 1.2
GAMMA_RANGE = (0.5, 3.3)
MAX_NOISE = 28.0
GRAY = ((0.114,) * 3, (0.587,) * 3, (0.299,) * 3)  # the matrix that makes BGR gray


def change_pixels(images: tf.Tensor, config: AugmentationConfig, random: BatchRandom) -> tf.Tensor:
    """Apply what is on in the configuration to float32 images `(batch, size, size, 3)` in [0, 255]."""
    if config.color or config.grayscale:
        images = _recolor(images, config, random)
    if config.gamma:
        gamma = tf.exp(random.uniform(math.log(GAMMA_RANGE[0]), math.log(GAMMA_RANGE[1])))
        images = change_some(images, random.happens(config.gamma), change_gamma, gamma)
    if config.exposure:
        chosen, dark = random.happens(config.exposure), random.happens(0.5)
        gain = tf.where(dark, random.uniform(0.12, 0.6), random.uniform(1.2, 2.0))
        offset = tf.where(dark, 0.0, random.uniform(0.0, 45.0))
        images = change_some(images, chosen, expose, gain, offset)
    size = images.shape[1]
    if config.sharpen:
        amount = random.uniform(0.0, MAX_SHARPENING)
        images = change_some(images, random.happens(config.sharpen), _sharpen, amount)
    if config.low_resolution:
        side = random.uniform(0.2, 0.75) * size
        images = change_some(images, random.happens(config.low_resolution), lower_resolution, side)
    if config.blur:
        images = change_some(images, random.happens(config.blur), _blur)
    if config.motion_blur:
        length, upright = random.uniform(2.0, 9.0), random.happens(0.5)
        images = change_some(images, random.happens(config.motion_blur), smear, length, upright)
    if config.noise:
        deviation = random.uniform(0.0, MAX_NOISE)
        chosen, add = random.happens(config.noise), functools.partial(add_noise, seed=random.next_seed())
        images = change_some(images, chosen, add, deviation)
    if config.jpeg:
        chosen = random.happens(config.jpeg)
        quality = tf.cast(random.uniform(10.0, 60.0), tf.int32)
        images = change_some(images, chosen, compress, quality)
    if config.erase:
        images = _erase(images, config.erase, random)
    return images


def _recolor(images: tf.Tensor, config: AugmentationConfig, random: BatchRandom) -> tf.Tensor:
    """Brightness, contrast, channel gains and grayscale, as one 3×3 matrix and an offset per image."""
    low, high = 1 - config.color, 1 + config.color
    contrast = random.uniform(low, high, (1,))
    gains = random.uniform(low, high, (1,)) * random.uniform((1 + low) / 2, (1 + high) / 2, (3,))
    mixing = tf.where(random.happens(config.grayscale)[:, None, None], tf.constant(GRAY), tf.eye(3))
    matrix = mixing * (contrast * gains)[:, None, :]
    mean = tf.reduce_mean(images, axis=(1, 2, 3))[:, None]
    offset = mean * (1 - contrast) * gains
    size = images.shape[1]
    pixels = tf.matmul(tf.reshape(images, (-1, size * size, 3)), matrix) + offset[:, None, :]
    return tf.reshape(tf.clip_by_value(pixels, 0.0, 255.0), (-1, size, size, 3))


def change_gamma(images: tf.Tensor, gamma: tf.Tensor) -> tf.Tensor:
    """Raise the brightness, from 0 to 1, to a power per image, `(batch,)`."""
    return 255.0 * (tf.clip_by_value(images, 0.0, 255.0) / 255.0) ** gamma[:, None, None, None]


def expose(images: tf.Tensor, gain: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Multiply by a gain and add an offset per image, `(batch,)`; what is too bright is white."""
    return tf.clip_by_value(images * gain[:, None, None, None] + offset[:, None, None, None], 0.0, 255.0)


def lower_resolution(images: tf.Tensor, side: tf.Tensor) -> tf.Tensor:
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


def compress(images: tf.Tensor, quality: tf.Tensor) -> tf.Tensor:
    """Encode images as JPEG of the given qualities, int `(batch,)`, and decode them again."""

    # Not OpenCV in a numpy_function: a thread that waits there for the GIL keeps the process from ending.
    def compress(item: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        image, quality = item
        return tf.image.adjust_jpeg_quality(tf.cast(tf.round(image), tf.uint8), quality)

    compressed = tf.map_fn(compress, (images, quality), fn_output_signature=tf.uint8)
    return tf.cast(tf.ensure_shape(compressed, images.shape), tf.float32)


def smear(images: tf.Tensor, length: tf.Tensor, upright: tf.Tensor) -> tf.Tensor:
    """Average over `length` pixels `(batch,)` of a row, or of a column where `upright`."""
    pixel = tf.range(float(images.shape[1]))
    weights = tf.clip_by_value(
        length[:, None, None] / 2 + 0.5 - tf.abs(pixel[:, None] - pixel), 0.0, 1.0
    )  # (batch, size, size)
    weights /= tf.reduce_sum(weights, -1, keepdims=True)
    across = tf.einsum("bxj,byjc->byxc", weights, images)
    down = tf.einsum("byi,bixc->byxc", weights, images)
    return tf.where(upright[:, None, None, None], down, across)


def add_noise(images: tf.Tensor, deviation: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Add normal noise of a standard deviation per image, `(batch,)`."""
    noise = tf.random.stateless_normal(tf.shape(images), seed)
    return tf.clip_by_value(images + noise * deviation[:, None, None, None], 0.0, 255.0)


def _erase(images: tf.Tensor, probability: float, random: BatchRandom) -> tf.Tensor:
    size = images.shape[1]
    side = tf.where(random.happens(probability)[:, None], random.uniform(0.1, 0.5, (2,)), 0.0) * size
    start = random.uniform(shape=(2,)) * (size - side)
    return cover_rectangle(images, start[:, ::-1], side[:, ::-1], random)  # drawn as y, x


def cover_rectangle(images: tf.Tensor, start: tf.Tensor, side: tf.Tensor, random: BatchRandom) -> tf.Tensor:
    """Cover a rectangle of one color, given by its upper left corner and its sides (x, y), `(batch, 2)`."""
    pixel = tf.range(float(images.shape[1]))
    columns, rows = (within(pixel, start[:, axis], side[:, axis]) for axis in (0, 1))
    covered = rows[:, :, None] & columns[:, None, :]
    return tf.where(covered[..., None], random.uniform(0.0, 255.0, (1, 1, 3)), images)
