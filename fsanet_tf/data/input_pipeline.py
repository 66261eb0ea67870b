"""From faces to the batches that `model.fit` takes: from memory, or from TFRecord shards."""

import abc
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from fsanet_tf.crop import resize_crops
from fsanet_tf.data.augmentation import augment
from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.dataset import FaceDataset
from fsanet_tf.data.tfrecords import Shards, read_faces


def split_indices(
    indices: np.ndarray, validation_fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split at random, by seed, into training and validation indices, each in rising order."""
    shuffled = np.random.default_rng(seed).permutation(indices)
    num_validation = round(len(indices) * validation_fraction)
    return np.sort(shuffled[num_validation:]), np.sort(shuffled[:num_validation])


class Faces(abc.ABC):
    """Faces to train or validate on, wherever they are.

    Attributes:
        count: how many.
        image_size: side of the crops in pixels.
    """

    count: int
    image_size: int

    @abc.abstractmethod
    def shuffled(self, batch_size: int, seed: int, first_step: int) -> tf.data.Dataset:
        """Full batches for ever, in orders that seed and epoch decide, from step `first_step` on.

        An epoch is `count // batch_size` steps; the faces left over wait for another order.
        Pairs of uint8 images `(batch_size, S, S, 3)` and float32 poses `(batch_size, 3)`.
        """

    @abc.abstractmethod
    def in_order(self, batch_size: int) -> tf.data.Dataset:
        """All of them once; the last batch may be smaller."""


class FacesInMemory(Faces):
    """Rows of a data set; crops are gathered from its own array, which no graph ever holds."""

    def __init__(self, dataset: FaceDataset, rows: np.ndarray):
        self.dataset = dataset
        self.rows = rows
        self.count = len(rows)
        self.image_size = dataset.image_size

    def shuffled(self, batch_size: int, seed: int, first_step: int) -> tf.data.Dataset:
        steps_per_epoch = self.count // batch_size

        @functools.lru_cache(maxsize=2)
        def order(epoch: int) -> np.ndarray:
            return np.random.default_rng((seed, epoch)).permutation(self.rows)

        def rows_of(step: int) -> np.ndarray:
            epoch, place = divmod(step, steps_per_epoch)
            return order(epoch)[place * batch_size : (place + 1) * batch_size]

        return self._gather(tf.data.Dataset.range(first_step, np.iinfo(np.int64).max), rows_of)

    def in_order(self, batch_size: int) -> tf.data.Dataset:
        def rows_of(number: int) -> np.ndarray:
            return self.rows[number * batch_size : (number + 1) * batch_size]

        return self._gather(tf.data.Dataset.range(-(-self.count // batch_size)), rows_of)

    def _gather(self, numbers: tf.data.Dataset, rows_of: Callable[[int], np.ndarray]) -> tf.data.Dataset:
        def gather(number: np.int64) -> tuple[np.ndarray, np.ndarray]:
            rows = rows_of(int(number))
            return self.dataset.images[rows], self.dataset.poses[rows]

        def batch(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            images, poses = tf.numpy_function(gather, [number], (tf.uint8, tf.float32), stateful=False)
            images.set_shape((None, self.image_size, self.image_size, 3))
            poses.set_shape((None, 3))
            return images, poses

        return numbers.map(batch)


class FacesInShards(Faces):
    """Faces in TFRecord shards; a shuffle buffer of them is in memory."""

    def __init__(self, shards: Shards, protocol: int):
        self.shards = shards
        self.protocol = protocol
        self.count = shards.count(protocol)
        self.image_size = shards.image_size

    def shuffled(self, batch_size: int, seed: int, first_step: int) -> tf.data.Dataset:
        first_epoch, place = divmod(first_step, self.count // batch_size)

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            faces = read_faces(self.shards, self.protocol, (seed, epoch))
            return faces.batch(batch_size, drop_remainder=True)

        epochs = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max)
        return epochs.flat_map(one_epoch).skip(place)

    def in_order(self, batch_size: int) -> tf.data.Dataset:
        return read_faces(self.shards, self.protocol).batch(batch_size)


def training_batches(
    faces: Faces,
    *,
    batch_size: int,
    augmentation: AugmentationConfig,
    image_size: int,
    seed: int,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Augmented batches for ever; step k is the same whichever step comes first.

    Returns:
        Pairs of float32 images `(batch_size, image_size, image_size, 3)` BGR in [0, 255] and float32
        poses `(batch_size, 3)` in degrees.
    """

    def augmented(step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        images, poses = batch
        images = tf.ensure_shape(images, (batch_size, faces.image_size, faces.image_size, 3))
        return augment(images, poses, augmentation, tf.stack([seed, tf.cast(step, tf.int32)]), image_size)

    batches = faces.shuffled(batch_size, seed, first_step).enumerate(first_step)
    return batches.map(augmented, num_parallel_calls=tf.data.AUTOTUNE).prefetch(4)


def validation_batches(faces: Faces, *, batch_size: int, image_size: int) -> tf.data.Dataset:
    """The crops as they are, resized if need be, in order; the last batch may be smaller."""

    def resized(images: tf.Tensor, poses: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if faces.image_size != image_size:
            images = tf.numpy_function(lambda crops: resize_crops(crops, image_size), [images], tf.uint8)
        images.set_shape((None, image_size, image_size, 3))
        return tf.cast(images, tf.float32), poses

    batches = faces.in_order(batch_size).map(resized)
    return batches.apply(tf.data.experimental.assert_cardinality(-(-faces.count // batch_size))).prefetch(2)
