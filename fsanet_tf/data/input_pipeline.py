"""Input pipeline: from faces in memory or in TFRecord shards to the batches of `model.fit`."""

import abc
import functools
from collections.abc import Callable

import cv2
import numpy as np
import tensorflow as tf

from fsanet_tf.data.augmentation import augment
from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.dataset import FaceDataset
from fsanet_tf.data.tfrecords import Shards, read_faces

# A batch of raw faces: uint8 images (batch, S, S, 3), float32 poses (batch, 3), weights and views (batch,).
FACE_TYPES = (tf.uint8, tf.float32, tf.float32, tf.float32)


def split_by_group(
    rows: np.ndarray, groups: np.ndarray, validation_fraction: float, seed: int, fold: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Split at random into training and validation rows, keeping groups together.

    Args:
        rows: Indices of the faces to split.
        groups: Number of each face's group, for all faces.
        validation_fraction: Share of the faces to validate on; groups are taken while they fit.
        seed: Random seed.
        fold: Which share to validate on: fold 0 the first `validation_fraction`, fold 1 the next, …

    Returns:
        Training and validation rows, each in increasing order.
    """
    names, group_of, sizes = np.unique(groups[rows], return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    ends, share = np.cumsum(sizes[order]), len(rows) * validation_fraction
    held_out = order[(ends > round(fold * share)) & (ends <= round((fold + 1) * share))]
    is_held_out = np.isin(group_of, held_out)
    return rows[~is_held_out], rows[is_held_out]


class Faces(abc.ABC):
    """Faces to train or validate on, wherever they are stored.

    Attributes:
        count: Number of faces.
        image_size: Side of the crops in pixels.
        needs_views: Whether crops are to be cut to a common margin.
    """

    count: int
    image_size: int
    needs_views: bool

    @abc.abstractmethod
    def shuffled(self, batch_size: int, seed: int, first_step: int) -> tf.data.Dataset:
        """Return an infinite dataset of full batches, from step `first_step` on.

        Seed and epoch determine the order. An epoch has `count // batch_size` steps; the remaining faces
        appear in another epoch. Elements are as in `FACE_TYPES`.
        """

    @abc.abstractmethod
    def in_order(self, batch_size: int) -> tf.data.Dataset:
        """Return all faces once; the last batch may be smaller."""


class FacesInMemory(Faces):
    """Rows of a dataset; crops are gathered from its own array, which no graph ever contains.

    Args:
        dataset: The dataset.
        rows: Indices of the faces.
        margin_ratio: Margin that all crops are cut to; None: their own, which must then be equal.

    Raises:
        InputError: If the margins differ or are unknown, as `FaceLabels.views`.
    """

    def __init__(self, dataset: FaceDataset, rows: np.ndarray, margin_ratio: float | None = None):
        self.dataset = dataset
        self.rows = rows
        self.count = len(rows)
        self.image_size = dataset.image_size
        views = dataset.labels.views(margin_ratio)
        self.needs_views = views is not None
        self._views = np.ones(len(dataset), np.float32) if views is None else views

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
        labels = self.dataset.labels

        def gather(number: np.int64) -> tuple[np.ndarray, ...]:
            rows = rows_of(int(number))
            return self.dataset.images[rows], labels.poses[rows], labels.weights[rows], self._views[rows]

        def batch(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
            images, poses, weights, views = tf.numpy_function(gather, [number], FACE_TYPES, stateful=False)
            images.set_shape((None, self.image_size, self.image_size, 3))
            poses.set_shape((None, 3))
            weights.set_shape((None,))
            views.set_shape((None,))
            return images, poses, weights, views

        return numbers.map(batch)


class FacesInShards(Faces):
    """Faces in TFRecord shards; a shuffle buffer of them is in memory.

    Args:
        shards: The shards.
        max_angle_deg: Leave out faces with a larger angle; 0 keeps all.
        margin_ratio: Margin that all crops are cut to; None: their own, which must then be equal.

    Raises:
        InputError: If the margins differ or are unknown.
    """

    def __init__(self, shards: Shards, max_angle_deg: float, margin_ratio: float | None = None):
        self.shards = shards
        self.max_angle_deg = max_angle_deg
        self.margin_ratio = margin_ratio
        self.count = shards.count(max_angle_deg)
        self.image_size = shards.image_size
        self.needs_views = shards.needs_views(margin_ratio)

    def shuffled(self, batch_size: int, seed: int, first_step: int) -> tf.data.Dataset:
        first_epoch, place = divmod(first_step, self.count // batch_size)

        def one_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
            faces = read_faces(self.shards, self.max_angle_deg, self.margin_ratio, (seed, epoch))
            return faces.batch(batch_size, drop_remainder=True)

        epochs = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max)
        return epochs.flat_map(one_epoch).skip(place)

    def in_order(self, batch_size: int) -> tf.data.Dataset:
        return read_faces(self.shards, self.max_angle_deg, self.margin_ratio).batch(batch_size)


def training_batches(
    faces: Faces,
    *,
    batch_size: int,
    augmentation: AugmentationConfig,
    image_size: int,
    seed: int,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Return an infinite dataset of augmented batches; step k is the same whichever step comes first.

    Returns:
        float32 images `(batch_size, image_size, image_size, 3)` BGR in [0, 255], float32 poses
        `(batch_size, 3)` in degrees and float32 weights `(batch_size,)`.
    """

    def augmented(step: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
        images, poses, weights, views = batch
        images = tf.ensure_shape(images, (batch_size, faces.image_size, faces.image_size, 3))
        step_seed = tf.stack([seed, tf.cast(step, tf.int32)])
        view = views if faces.needs_views else None
        return *augment(images, poses, augmentation, step_seed, image_size, view), weights

    batches = faces.shuffled(batch_size, seed, first_step).enumerate(first_step)
    return batches.map(augmented, num_parallel_calls=tf.data.AUTOTUNE).prefetch(4)


def validation_batches(faces: Faces, *, batch_size: int, image_size: int) -> tf.data.Dataset:
    """Return the crops without augmentation, in order; the last batch may be smaller.

    Returns:
        As `training_batches`, of any batch size.
    """

    def resized(
        images: tf.Tensor, poses: tf.Tensor, weights: tf.Tensor, views: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        if faces.needs_views or faces.image_size != image_size:
            images = tf.numpy_function(
                lambda crops, views: cut_views(crops, views, image_size), [images, views], tf.uint8
            )
        images.set_shape((None, image_size, image_size, 3))
        return tf.cast(images, tf.float32), poses, weights

    batches = faces.in_order(batch_size).map(resized)
    return batches.apply(tf.data.experimental.assert_cardinality(-(-faces.count // batch_size))).prefetch(2)


def cut_views(crops: np.ndarray, views: np.ndarray, image_size: int) -> np.ndarray:
    """Cut the central share of each crop and resize it (bilinear).

    Args:
        crops: uint8 `(N, S, S, 3)`.
        views: Side of the part to keep, `(N,)`, as a share of S; at most 1.
        image_size: Side of the result in pixels.

    Returns:
        uint8 `(N, image_size, image_size, 3)`.
    """
    sides = np.minimum(np.round(crops.shape[1] * views).astype(int), crops.shape[1])
    starts = (crops.shape[1] - sides) // 2
    return np.stack(
        [
            cv2.resize(crop[start : start + side, start : start + side], (image_size, image_size))
            for crop, start, side in zip(crops, starts, sides, strict=True)
        ]
    )
