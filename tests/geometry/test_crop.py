"""The one crop: the original's arithmetic, and what it refuses."""

import cv2
import numpy as np
import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import LANDMARK_CROP, CropRule, crop_box, crop_face, grow_box, resize_crops


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (120, 160, 3), dtype=np.uint8)


def test_box_grows_by_its_own_size_and_stays_inside():
    assert grow_box((50, 40, 70, 80), LANDMARK_CROP, (120, 160, 3)) == (38, 16, 82, 104)
    assert grow_box((5, 5, 150, 110), LANDMARK_CROP, (120, 160, 3)) == (0, 0, 159, 119)
    whole_pixels_first = grow_box((50.9, 40.9, 70.9, 80.9), CropRule(0.0), (120, 160))
    assert whole_pixels_first == (50, 40, 70, 80)


def test_crop_is_a_linear_resize_of_the_half_open_cut(image):
    np.testing.assert_array_equal(
        crop_box(image, (10, 20, 90, 100)), cv2.resize(image[20:100, 10:90], (64, 64))
    )
    np.testing.assert_array_equal(
        crop_box(image, (10, 20, 90, 100), 32, inclusive=True), cv2.resize(image[20:101, 10:91], (32, 32))
    )


@pytest.mark.parametrize("box", [(10, 10, 10, 20), (20, 20, 10, 10), (-1, 0, 9, 9), (200, 10, 210, 20)])
def test_box_without_pixels_is_refused(image, box):
    with pytest.raises(InputError, match="contains no pixels of an image of 160×120"):
        crop_box(image, box)


@pytest.mark.parametrize("box", [(0, 0, 5), (np.nan, 0, 5, 5), (9, 0, 5, 5), (0, 0, 1e10, 5), "box", None])
def test_what_is_no_box_is_refused(image, box):
    for rule in (LANDMARK_CROP, CropRule(0.29, square=True, sampling="filtered")):
        with pytest.raises(InputError, match=r"box .*: expected left, top, right, bottom in pixels"):
            crop_face(image, box, rule)


def test_resizing_crops_is_the_crops_own_interpolation(rng):
    crops = rng.integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_crops(crops, 64)[1], cv2.resize(crops[1], (64, 64)))
    assert resize_crops(crops, 96) is crops
