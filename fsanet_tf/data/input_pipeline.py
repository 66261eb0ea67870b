"""Input pipeline: from the faces of a dataset to the batches of `model.fit`."""

import functools
from collections.abc import Callable, Sequence

import cv2
import numpy as np
import tensorflow as tf

from fsanet_tf.data.augmentation import FACE_SHARE, augment
from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.dataset import FaceDataset
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.networks.card import BOX_OFFSET, FACE_SCORE, POSE, UNCERTAINTY
from fsanet_tf.networks.network import Network

# A batch of raw faces: uint8 images (batch, S, S, 3), float32 poses (batch, 3), weights and views (batch,).
FACE_TYPES = (tf.uint8, tf.float32, tf.float32, tf.float32)
Batch = tuple[tf.Tensor, dict[str, tf.Tensor], dict[str, tf.Tensor]]  # images, targets, weights


class Faces:
    """Rows of a dataset to train or validate on; no graph ever contains their pixels.

    Args:
        dataset: The dataset.
        rows: Indices of the faces.
        margin_ratio: Margin that all crops are cut to; None: their own, which must then be equal.

    Attributes:
        count: Number of faces.
        image_size: Side of the crops in pixels.
        views: Share of each crop's side to keep, for all faces of the dataset.
        are_cut: Whether less than the whole of a crop is kept.
        face_share: Side of the face box as a share of that of the crops that a network sees.

    Raises:
        InputError: If the margins differ, are unknown or too small, as `FaceDataset.views`.
    """

    def __init__(self, dataset: FaceDataset, rows: np.ndarray, margin_ratio: float | None = None):
        self.dataset = dataset
        self.rows = rows
        self.count = len(rows)
        self.image_size = dataset.image_size
        if margin_ratio is None and dataset.crop is None and not np.isnan(dataset.margin_ratios).all():
            raise InputError("margin_ratio: the crops have different margins, expected a common one")
        self.views = dataset.views(margin_ratio)
        self.are_cut = bool((self.views != 1).any())
        if margin_ratio is None and dataset.crop:
            margin_ratio = dataset.crop.margin_ratio
        self.face_share = FACE_SHARE if margin_ratio is None else 1 / CropRule(margin_ratio).growth

    def shuffled(self, batch_size: int, seed: int, first_step: int) -> tf.data.Dataset:
        """Return an infinite dataset of full batches, from step `first_step` on.

        Seed and epoch determine the order. An epoch has `count // batch_size` steps; the remaining faces
        appear in another epoch. Elements are as in `FACE_TYPES`.
        """
        steps_per_epoch = self.count // batch_size

        @functools.lru_cache(maxsize=2)
        def order(epoch: int) -> np.ndarray:
            return np.random.default_rng((seed, epoch)).permutation(self.rows)

        def rows_of(step: int) -> np.ndarray:
            epoch, place = divmod(step, steps_per_epoch)
            return order(epoch)[place * batch_size : (place + 1) * batch_size]

        return self._gather(tf.data.Dataset.range(first_step, np.iinfo(np.int64).max), rows_of)

    def in_order(self, batch_size: int) -> tf.data.Dataset:
        """Return all faces once; the last batch may be smaller."""

        def rows_of(number: int) -> np.ndarray:
            return self.rows[number * batch_size : (number + 1) * batch_size]

        return self._gather(tf.data.Dataset.range(-(-self.count // batch_size)), rows_of)

    def _gather(self, numbers: tf.data.Dataset, rows_of: Callable[[int], np.ndarray]) -> tf.data.Dataset:
        dataset = self.dataset

        def gather(number: np.int64) -> tuple[np.ndarray, ...]:
            rows = rows_of(int(number))
            return dataset.images[rows], dataset.poses[rows], dataset.weights[rows], self.views[rows]

        def batch(number: tf.Tensor) -> tuple[tf.Tensor, ...]:
            images, poses, weights, views = tf.numpy_function(gather, [number], FACE_TYPES, stateful=False)
            images.set_shape((None, self.image_size, self.image_size, 3))
            poses.set_shape((None, 3))
            weights.set_shape((None,))
            views.set_shape((None,))
            return images, poses, weights, views

        return numbers.map(batch)


def training_batches(
    faces: Faces,
    *,
    batch_size: int,
    augmentation: AugmentationConfig,
    image_size: int,
    seed: int,
    first_step: int = 0,
    outputs: Sequence[str] = (POSE,),
) -> tf.data.Dataset:
    """Return an infinite dataset of augmented batches; step k is the same whichever step comes first.

    Args:
        faces: The faces.
        batch_size: Faces per step.
        augmentation: What is applied to a crop.
        image_size: Side of the images in pixels.
        seed: Random seed of order and augmentation.
        first_step: Step to begin with.
        outputs: Names of the network's outputs.

    Returns:
        float32 images `(batch_size, image_size, image_size, 3)` BGR in [0, 255]; targets and float32 weights
        `(batch_size,)` by output. The target of `uncertainty_deg` is the pose. Crops without a face count for
        `face_score` only.
    """

    def augmented(step: tf.Tensor, batch: tuple[tf.Tensor, ...]) -> Batch:
        images, poses, weights, views = batch
        images = tf.ensure_shape(images, (batch_size, faces.image_size, faces.image_size, 3))
        step_seed = tf.stack([seed, tf.cast(step, tf.int32)])
        view = views if faces.are_cut else None
        images, targets = augment(images, poses, augmentation, step_seed, image_size, view, faces.face_share)
        return images, *_for_outputs(targets, weights, outputs)

    batches = faces.shuffled(batch_size, seed, first_step).enumerate(first_step)
    return batches.map(augmented, num_parallel_calls=tf.data.AUTOTUNE).prefetch(4)


def validation_batches(
    faces: Faces, *, batch_size: int, image_size: int, outputs: Sequence[str] = (POSE,)
) -> tf.data.Dataset:
    """Return the crops without augmentation, in order; the last batch may be smaller.

    Returns:
        As `training_batches`, of any batch size.
    """

    def resized(images: tf.Tensor, poses: tf.Tensor, weights: tf.Tensor, views: tf.Tensor) -> Batch:
        if faces.are_cut or faces.image_size != image_size:
            images = tf.numpy_function(
                lambda crops, views: cut_views(crops, views, image_size), [images, views], tf.uint8
            )
        images.set_shape((None, image_size, image_size, 3))
        centered = {
            POSE: poses,
            BOX_OFFSET: tf.zeros((tf.shape(poses)[0], 3)),
            FACE_SCORE: tf.ones(tf.shape(poses)[:1]),
        }
        return tf.cast(images, tf.float32), *_for_outputs(centered, weights, outputs)

    batches = faces.in_order(batch_size).map(resized)
    return batches.apply(tf.data.experimental.assert_cardinality(-(-faces.count // batch_size))).prefetch(2)


def _for_outputs(
    targets: dict[str, tf.Tensor], weights: tf.Tensor, outputs: Sequence[str]
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
    """Return the target and the weights of each output."""
    targets = {**targets, UNCERTAINTY: targets[POSE]}
    of_faces = weights * targets[FACE_SCORE]
    return (
        {name: targets[name] for name in outputs},
        {name: weights if name == FACE_SCORE else of_faces for name in outputs},
    )


def network_crops(network: Network, faces: FaceDataset, rows: np.ndarray) -> np.ndarray:
    """Cut some faces of a dataset as a network expects them.

    Args:
        network: The network.
        faces: The dataset.
        rows: Which faces, `(N,)`.

    Returns:
        uint8 `(N, S, S, 3)`, S the side that the network expects.

    Raises:
        InputError: If the crops' margins are unknown or too small.
    """
    views = faces.views(network.card.crop.margin_ratio)
    return cut_views(faces.images[rows], views[rows], network.image_size)


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
