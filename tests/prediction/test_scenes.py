"""Faces that are covered, cross, leave, and scenes that change, on real photos."""

from itertools import combinations

import cv2
import numpy as np
import pytest

from benchmarks.faces import labeled_pictures
from benchmarks.moving_window import RATE
from fsanet_tf.detection.detection import overlap
from fsanet_tf.prediction.pose_tracker import PoseTracker

pytestmark = pytest.mark.slow
HOLD = 3  # frames for which a face is held that is not seen
SIZE = (480, 360)


@pytest.fixture(scope="module")
def photos(reference):
    """Frontal faces of AFLW2000, each with its surroundings, 120 pixels wide and high."""
    found = []
    for image, (left, top, right, bottom), pose in labeled_pictures(reference / "data/AFLW2000", 60):
        if np.abs(pose).max() < 25:
            x, y, half = (left + right) // 2, (top + bottom) // 2, int(0.75 * (right - left))
            part = image[max(0, y - half) : y + half, max(0, x - half) : x + half]
            found.append(cv2.resize(part, (120, 120), interpolation=cv2.INTER_AREA))
    return found[:6]


def scene(*placed):
    """A frame with photos at places; later ones cover earlier ones."""
    frame = np.full((SIZE[1], SIZE[0], 3), 100, np.uint8)
    for photo, x, y in placed:
        left, right = max(0, x), min(SIZE[0], x + 120)
        if left < right:
            frame[y : y + 120, left:right] = photo[:, left - x : right - x]
    return frame


@pytest.fixture(autouse=True)
def detectors(reference, monkeypatch):
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))


def follow(frames):
    """The boxes of the faces of each frame by number; none lie on one another."""
    tracker, found = PoseTracker("strided", "yunet"), []
    for number, frame in enumerate(frames):
        faces = tracker(frame, number / RATE)
        for one, other in combinations(faces, 2):
            assert overlap(one.box, other.box) <= tracker.following.max_overlap
        found.append({face.track: face.box for face in faces})
    return found


def test_a_covered_face_is_dropped_and_found_again(photos):
    for photo in photos:
        plain, covered = (
            scene((photo, 180, 120)),
            scene((photo, 180, 120), (np.full_like(photo, 60), 180, 120)),
        )
        found = follow([plain] * 10 + [covered] * 10 + [plain] * 5)
        assert all(len(faces) == 1 for faces in found[:10] + found[-4:])
        assert not any(found[10 + HOLD : 20])


def test_after_a_cut_the_face_of_the_new_scene_is_followed(photos):
    frames = [scene((photo, 20 + 320 * (i % 2), 10 + 220 * (i % 2))) for i, photo in enumerate(photos)]
    found = follow([frame for frame in frames for _ in range(20)])
    for i in range(len(frames)):
        for faces in found[20 * i + 16 : 20 * i + 20]:  # after the next look of the detector
            (box,) = faces.values()
            assert (box[0] + box[2] < SIZE[0]) == (i % 2 == 0)


def test_two_faces_that_cross_are_both_there_before_and_after(photos):
    for one, other in zip(photos[::2], photos[1::2], strict=True):
        frames = [scene((one, x, 100), (other, 360 - x, 120)) for x in range(0, 361, 6)]
        found = follow(frames)
        assert all(len(faces) == 2 for faces in found[:15] + found[-10:])
        assert all(1 <= len(faces) <= 2 for faces in found)


def test_a_face_that_leaves_and_returns(photos):
    for photo in photos:
        lefts = [*range(300, 500, 10), *[500] * 10, *range(500, 300, -10)]
        found = follow([scene((photo, x, 120)) for x in lefts])
        assert all(len(faces) == 1 for faces in found[:10] + found[-8:])
        assert not any(found[20 + HOLD : 30])
