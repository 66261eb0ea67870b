"""Batches: every face once per epoch, any step first, one margin for all, a target for each output."""

import numpy as np
import pytest

from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.dataset import FaceDataset
from fsanet_tf.data.input_pipeline import Faces, cut_views, training_batches, validation_batches
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.networks.card import OUTPUTS

NOTHING = AugmentationConfig(original=False)


def test_crops_of_several_margins_are_cut_to_a_common_one():
    """A square of half the crop's side, and one of a quarter at three times the margin's field of view."""
    images = np.zeros((2, 96, 96, 3), np.uint8)
    images[0, 24:72, 24:72] = 255  # margin 0: the square covers half of the crop
    images[1, 36:60, 36:60] = 255  # margin 0.5: of twice the field of view
    dataset = FaceDataset.from_arrays(images, np.zeros((2, 3)), crop=CropRule(0.0, square=True))
    dataset.margin_ratios[1] = 0.5
    with pytest.raises(
        InputError, match="margin_ratio: the crops have different margins, expected a common one"
    ):
        Faces(dataset, np.arange(2))
    faces = Faces(dataset, np.arange(2), margin_ratio=0.0)
    for batches in (
        training_batches(faces, batch_size=2, augmentation=NOTHING, image_size=48, seed=0),
        validation_batches(faces, batch_size=2, image_size=48),
    ):
        ((first, second), _, _) = next(iter(batches))
        np.testing.assert_allclose(first, second, atol=130)  # edges fall between pixels
        assert abs(float(np.mean(first)) - float(np.mean(second))) < 3
    np.testing.assert_array_equal(*cut_views(images, np.array([1.0, 0.5]), 48))


def test_a_margin_above_the_crops_own_is_refused():
    images, poses = np.zeros((2, 16, 16, 3), np.uint8), np.zeros((2, 3))
    dataset = FaceDataset.from_arrays(images, poses, crop=CropRule(0.29))
    with pytest.raises(InputError, match=r"margin_ratio 0\.6: there are crops with a margin of 0\.29"):
        Faces(dataset, np.arange(2), margin_ratio=0.6)
    assert not Faces(dataset, np.arange(2), margin_ratio=0.29).are_cut


def test_an_epoch_contains_every_face_once_and_any_step_can_come_first():
    poses = np.arange(120, dtype="float32").reshape(40, 3) / 2
    images = np.zeros((40, 16, 16, 3), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None, None]
    faces = Faces(FaceDataset.from_arrays(images, poses), np.arange(40))
    options = {"batch_size": 8, "augmentation": AugmentationConfig(flip=0.5), "image_size": 16, "seed": 5}
    batches = list(training_batches(faces, **options).take(10))
    plain = {**options, "augmentation": NOTHING}
    for epoch in (0, 5):
        first = list(training_batches(faces, first_step=epoch, **plain).take(5))
        seen = [pose for _, targets, _ in first for pose in targets["pose"].numpy()]
        assert sorted(map(tuple, seen)) == sorted(map(tuple, poses))
        for images_, targets, _ in first:  # pictures keep their labels
            np.testing.assert_array_equal(images_[:, 0, 0, 0] * 1.5, targets["pose"][:, 0])
    orders = zip(batches[:5], batches[5:], strict=True)
    assert any((a[1]["pose"] != b[1]["pose"]).numpy().any() for a, b in orders)
    for step in (3, 7):
        later = training_batches(faces, first_step=step, **options)
        for (images_, targets, _), (other_images, other_targets, _) in zip(
            batches[step:], later, strict=False
        ):
            np.testing.assert_array_equal(images_, other_images)
            np.testing.assert_array_equal(targets["pose"], other_targets["pose"])


def test_each_output_has_its_target_and_weight():
    dataset = FaceDataset.from_arrays(
        np.zeros((8, 16, 16, 3), np.uint8), np.arange(24).reshape(8, 3), weights=np.linspace(0.3, 1, 8)
    )
    faces = Faces(dataset, np.arange(8))
    batches = training_batches(
        faces, batch_size=8, augmentation=NOTHING, image_size=16, seed=0, outputs=list(OUTPUTS)
    )
    for _, targets, weights in (
        next(iter(batches)),
        next(iter(validation_batches(faces, batch_size=8, image_size=16, outputs=list(OUTPUTS)))),
    ):
        assert targets.keys() == weights.keys() == OUTPUTS.keys()
        np.testing.assert_array_equal(targets["uncertainty_deg"], targets["pose"])
        assert (targets["box_offset"].numpy() == 0).all() and (targets["face_score"].numpy() == 1).all()
        np.testing.assert_allclose(sorted(weights["pose"].numpy()), np.linspace(0.3, 1, 8), rtol=1e-6)


def test_faceless_crops_count_for_the_score_only():
    dataset = FaceDataset.from_arrays(np.zeros((64, 16, 16, 3), np.uint8), np.zeros((64, 3)))
    config = AugmentationConfig(original=False, faceless=0.5)
    batches = training_batches(
        Faces(dataset, np.arange(64)),
        batch_size=64,
        augmentation=config,
        image_size=16,
        seed=0,
        outputs=OUTPUTS,
    )
    _, targets, weights = next(iter(batches))
    score = targets["face_score"].numpy()
    assert 10 < score.sum() < 54
    for name in ("pose", "uncertainty_deg", "box_offset"):
        np.testing.assert_array_equal(weights[name], score)
    np.testing.assert_array_equal(weights["face_score"], np.ones(64))
