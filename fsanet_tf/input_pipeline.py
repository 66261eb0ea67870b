"""From a data set to the batches that `model.fit` takes."""

import functools

import numpy as np
import tensorflow as tf

from fsanet_tf.augmentation import augment
from fsanet_tf.crop import resize_crops
from fsanet_tf.dataset import FaceDataset
from fsanet_tf.training_config import AugmentationConfig


def split_indices(
    indices: np.ndarray, validation_fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split at random, by seed, into training and validation indices, each in rising order."""
    shuffled = np.random.default_rng(seed).permutation(indices)
    num_validation = round(len(indices) * validation_fraction)
    return np.sort(shuffled[num_validation:]), np.sort(shuffled[:num_validation])


def training_batches(
    dataset: FaceDataset,
    indices: np.ndarray,
    *,
    batch_size: int,
    augmentation: AugmentationConfig,
    image_size: int,
    seed: int,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Endless batches of augmented crops; step k is the same whichever step comes first.

    An epoch is `len(indices) // batch_size` steps over one permutation; the rest waits for another.
    Crops are gathered from the data set's own array, which no graph ever holds.

    Returns:
        Pairs of float32 images `(batch_size, image_size, image_size, 3)` BGR in [0, 255] and float32
        poses `(batch_size, 3)` in degrees.
    """
    steps_per_epoch = len(indices) // batch_size

    @functools.lru_cache(maxsize=2)
    def order(epoch: int) -> np.ndarray:
        return np.random.default_rng((seed, epoch)).permutation(indices)

    def gather(step: np.int64) -> tuple[np.ndarray, np.ndarray]:
        epoch, place = divmod(int(step), steps_per_epoch)
        rows = order(epoch)[place * batch_size : (place + 1) * batch_size]
        return dataset.images[rows], dataset.poses[rows]

    def batch(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images, poses = tf.numpy_function(gather, [step], (tf.uint8, tf.float32), stateful=False)
        images.set_shape((batch_size, *dataset.images.shape[1:]))
        poses.set_shape((batch_size, 3))
        return augment(images, poses, augmentation, tf.stack([seed, tf.cast(step, tf.int32)]), image_size)

    steps = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max)
    return steps.map(batch, num_parallel_calls=tf.data.AUTOTUNE).prefetch(4)


def validation_batches(
    dataset: FaceDataset, indices: np.ndarray, *, batch_size: int, image_size: int
) -> tf.data.Dataset:
    """The crops as they are, resized if need be, in order; the last batch may be smaller."""

    def batches():
        for start in range(0, len(indices), batch_size):
            rows = indices[start : start + batch_size]
            images = resize_crops(dataset.images[rows], image_size)
            yield images.astype(np.float32), dataset.poses[rows]

    return (
        tf.data.Dataset.from_generator(
            batches,
            output_signature=(
                tf.TensorSpec((None, image_size, image_size, 3), tf.float32),
                tf.TensorSpec((None, 3), tf.float32),
            ),
        )
        .apply(tf.data.experimental.assert_cardinality(-(-len(indices) // batch_size)))
        .prefetch(2)
    )
