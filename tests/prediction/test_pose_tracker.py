"""Faces are found once and followed by the network; without one that localizes, by the detector."""

import threading

import numpy as np
import pytest

from fsanet_tf.detection.detection import Detection, overlap
from fsanet_tf.errors import InputError
from fsanet_tf.networks.card import POSE, NetworkCard
from fsanet_tf.prediction.pose_tracker import PoseTracker
from tests.prediction.disc_network import DiscDetector, DiscNetwork, disc_box, draw_discs

RATE = 30


def follow(path, network=None, detector=None, **options):
    """Track what `path(time)` places; return the faces of each frame, network and detector."""
    network, detector = network or DiscNetwork(), detector or DiscDetector()
    tracker = PoseTracker(network, detector, **options)
    times = [number / RATE for number in range(150)]
    return [tracker(draw_discs(path(t)), t) for t in times], network, detector


def orbit(t):
    """A disc that crosses the frame in a second, there and back, growing and shrinking by a third."""
    return [(160 + 120 * np.sin(np.pi * t), 120 + 30 * np.cos(3 * t), 45 * 1.33 ** np.sin(t), 200)]


@pytest.mark.parametrize("path", [lambda t: [(100, 90, 40, 200)], orbit], ids=["at rest", "orbit"])
def test_a_face_is_followed_without_drift(path):
    frames, network, detector = follow(path)
    for number, faces in enumerate(frames):
        (face,) = faces
        x, y, diameter, _ = path(number / RATE)[0]
        left, top, right, bottom = face.box
        assert face.track == 1 and face.pose_deg[0] == pytest.approx(20, abs=2)
        assert np.hypot((left + right) / 2 - x, (top + bottom) / 2 - y) < 0.08 * diameter, number
        assert abs(np.log((right - left) / diameter)) < 0.07, number
    assert detector.calls == 10  # every half second of five
    assert network.batches == [1] * 150


def test_the_same_frames_give_the_same_faces():
    assert follow(orbit)[0] == follow(orbit)[0]


def test_a_face_that_leaves_is_dropped_within_three_frames_and_found_again():
    frames, _, _ = follow(lambda t: [] if 2 <= t < 4 else [(100, 90, 40, 200)])
    numbers = [[face.track for face in faces] for faces in frames]
    assert numbers[59] == [1] and numbers[62] == [] and numbers[119] == [] and numbers[120] == [2]
    low = frames[60][0]
    assert low.face_score < 0.5 and low.score is None


def test_a_detection_that_the_network_calls_no_face_is_dropped():
    junk = Detection((250, 20, 290, 60), 1.0)
    frames, _, _ = follow(orbit, detector=DiscDetector([junk]))
    assert {len(faces) for faces in frames} == {1}


def test_several_faces_are_one_batch_and_keep_their_numbers():
    frames, network, _ = follow(lambda t: [(60, 60, 40, 120), (200, 60, 50, 180), (130, 180, 44, 240)])
    assert network.batches == [3] * 150
    brightness = {face.track: round(face.yaw) for face in frames[-1]}
    assert brightness == {face.track: round(face.yaw) for face in frames[0]} and len(brightness) == 3


def test_two_tracks_never_sit_on_one_face():
    frames, _, _ = follow(lambda t: [(60 + 40 * t, 100, 40, 200), (260 - 40 * t, 100, 40, 120)])
    for faces in frames:
        boxes = [face.box for face in faces]
        assert all(overlap(a, b) <= 0.4 for place, a in enumerate(boxes) for b in boxes[:place])
    assert len(frames[-1]) == 2


def test_a_camera_does_not_wait_for_the_detector():
    started, released = threading.Event(), threading.Event()

    class Slow(DiscDetector):
        def __call__(self, frame):
            if self.calls:
                started.set()
                assert released.wait(20)
            return super().__call__(frame)

    tracker = PoseTracker(DiscNetwork(), Slow(), live=True)
    one, two = draw_discs([(100, 90, 40, 200)]), draw_discs([(100, 90, 40, 200), (250, 90, 40, 200)])
    assert len(tracker(one, 0.0)) == 1
    assert len(tracker(two, 0.6)) == 1 and started.wait(20)
    assert len(tracker(two, 0.7)) == 1  # the detector still runs
    released.set()
    for number in range(2000):
        if len(tracker(two, 0.8 + number / 1000)) == 2:
            break
        threading.Event().wait(0.002)
    assert [face.track for face in tracker(two, 4.0)] == [1, 2]


class PlainNetwork:
    """A network that does not localize."""

    name, image_size, card = "plain", 64, NetworkCard(64)

    def predict(self, crops):
        return {POSE: np.zeros((len(crops), 3), np.float32)}


def test_a_network_that_does_not_localize_uses_the_detector():
    path = lambda t: [(100, 90, 40, 200)] if t < 1 else []  # noqa: E731
    frames, _, detector = follow(path, PlainNetwork(), every=5, hold_frames=10)
    assert detector.calls == 30
    assert [face.score for face in frames[5]] == [0.8] and [face.score for face in frames[6]] == [None]
    assert len(frames[35]) == 1 and frames[36] == []  # last detected in frame 25
    assert frames[0][0].box != disc_box(100, 90, 40)


@pytest.mark.parametrize(("options", "expected"), [
    ({"every": 0}, "a whole number"), ({"every": 1.5}, "a whole number"), ({"every": True}, "a whole number"),
    ({"hold_frames": -1}, "a whole number"), ({"field_of_view_deg": 500}, "degrees in"),
    ({"smooth": "no"}, "true or false"), ({"live": 1}, "true or false"),
])  # fmt: skip
def test_what_is_out_of_range_is_named(options, expected):
    (name,) = options
    with pytest.raises(InputError, match=rf"{name}: expected {expected}"):
        PoseTracker(PlainNetwork(), DiscDetector(), **options)


@pytest.mark.parametrize("time_s", [None, "now", float("nan")])
def test_a_time_is_a_number(time_s):
    with pytest.raises(InputError, match="time_s: expected a number, received"):
        PoseTracker(DiscNetwork(), DiscDetector())(draw_discs([]), time_s)


def test_smoothed_and_located_relative_to_a_neutral_pose():
    tracker = PoseTracker(DiscNetwork(), DiscDetector(), smooth=True, field_of_view_deg=60)
    frame = draw_discs([(160, 120, 40, 200)])
    faces = [tracker(frame, number / RATE)[0] for number in range(5)]
    x, y, z = faces[-1].position_mm
    assert abs(x) < 4 and abs(y) < 4 and z == pytest.approx(139.3 * 277.1 / 40, rel=0.05)
    assert faces[-1].yaw > 15
    tracker.calibrate(faces)
    assert abs(tracker(frame, 1.0)[0].yaw) < abs(faces[-1].yaw) / 2
