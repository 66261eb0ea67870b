"""The benchmark of detection: where pasted faces lie, and what counts as found."""

import numpy as np
import pytest

from benchmarks.detection import CANVAS, measure, pasted
from benchmarks.faces import Picture
from fsanet_tf.detection.detection import Detection
from fsanet_tf.io.images import read_image

POSE = np.array([0.0, 30.0, 0.0])


@pytest.mark.parametrize("side", [20, 1600])
def test_a_pasted_face_lies_in_its_box(side, rng):
    photo = read_image("astronaut")
    face = Picture(photo, (180, 63, 270, 178), POSE)
    canvas, (left, top, right, bottom) = pasted(face, side, rng)
    assert canvas.shape == (CANVAS[1], CANVAS[0], 3) and max(right - left, bottom - top) == pytest.approx(
        side
    )
    inside = canvas[round(top) : round(bottom), round(left) : round(right)].mean(axis=(0, 1))
    assert np.abs(inside - photo[63:178, 180:270].mean(axis=(0, 1))).max() < 12


def test_found_first_and_other_boxes_are_counted():
    box = (10.0, 10.0, 50.0, 50.0)
    other = Detection((100.0, 100.0, 120.0, 120.0), 0.9)
    ways = {
        "right": lambda image: [Detection(box, 0.8)],
        "second": lambda image: [other, Detection(box, 0.8)],
    }
    rows = measure(ways, iter([(np.zeros((200, 200, 3), np.uint8), box, POSE)]))
    assert rows["right"][0, :4].tolist() == [1, 1, 0, 1]
    assert rows["second"][0, :4].tolist() == [1, 0, 1, 1]
