"""Tracks keep their numbers, boxes are held and dropped, angles are smoothed."""

import numpy as np
import pytest

from fsanet_tf.detection.detection import Detection, overlap
from fsanet_tf.detection.face_pose import FacePose
from fsanet_tf.detection.tracking import Tracker
from fsanet_tf.errors import InputError
from fsanet_tf.prediction.smoothing import OneEuroFilter, PoseSmoother, SmoothingConfig


def face(x, size=10):
    return Detection((x, 0, x + size, size), 0.9)


def test_overlap():
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 2, 2), (2, 0, 3, 2)) == 0


def test_faces_keep_their_numbers_when_their_order_changes():
    tracker = Tracker(hold_frames=0)
    assert [f.track for f in tracker.update(0, [face(0), face(50)])] == [1, 2]
    shown = tracker.update(1, [face(52), face(1), face(100)])
    assert {f.track: f.box[0] for f in shown} == {1: 1, 2: 52, 3: 100}


def test_a_face_moves_on_between_detections():
    tracker = Tracker(hold_frames=5)
    tracker.update(0, [face(0)])
    tracker.update(2, [face(4)])
    (shown,) = tracker.at(3)
    assert shown.box == (6, 0, 16, 10) and shown.score is None and shown.track == 1


def test_a_missed_face_is_held_where_it_was_and_then_dropped():
    tracker = Tracker(hold_frames=2)
    tracker.update(0, [face(0)])
    tracker.update(1, [face(2)])
    assert [len(tracker.update(frame, [])) for frame in (2, 3, 4)] == [1, 1, 0]
    assert [f.track for f in tracker.update(5, [face(2)])] == [2]


def test_a_face_that_is_held_has_no_score():
    tracker = Tracker(hold_frames=2)
    assert [f.score for f in tracker.update(0, [face(0)])] == [0.9]
    assert [f.score for f in tracker.update(1, [])] == [None]


def test_a_frame_may_be_updated_twice():
    tracker = Tracker(hold_frames=2)
    tracker.update(0, [face(0)])
    tracker.update(1, [face(2)])
    (shown,) = tracker.update(1, [face(3)])
    assert shown.box == (3, 0, 13, 10) and tracker.at(2)[0].box == (5, 0, 15, 10)


def test_one_euro_calms_noise_and_follows_a_turn(rng):
    times = np.arange(200) / 30
    noise = rng.normal(0, 2, (200, 3))
    still = OneEuroFilter(SmoothingConfig())
    smoothed = np.array([still(angles, t) for t, angles in zip(times, noise)])
    assert smoothed[30:].std() < 0.5 * noise[30:].std()
    turning = OneEuroFilter(SmoothingConfig())
    ramp = 60 * np.stack([times] * 3, axis=1)
    followed = np.array([turning(angles, t) for t, angles in zip(times, ramp[:80])])
    assert np.abs(followed[40:] - ramp[40:80]).max() < 4


def test_one_euro_goes_the_short_way_round():
    smooth = OneEuroFilter(SmoothingConfig())
    smooth(np.array([179.0]), 0.0)
    assert abs(smooth(np.array([-179.0]), 0.1)[0]) > 178


def test_a_cutoff_that_would_divide_by_zero_is_named():
    with pytest.raises(InputError, match="min_cutoff_hz: expected a number of at least"):
        SmoothingConfig(min_cutoff_hz=0)


def test_smoother_keeps_people_apart():
    smooth = PoseSmoother()
    for time_s in (0.0, 0.1, 0.2):
        first, second = smooth(
            [FacePose((0, 0, 1, 1), 1.0, 10, 0, 0, 1), FacePose((5, 0, 6, 1), 1.0, -30, 0, 0, 2)], time_s
        )
    assert first.pose_deg == pytest.approx((10, 0, 0)) and second.pose_deg == pytest.approx((-30, 0, 0))


def test_faces_without_a_track_are_returned_as_they_are():
    smooth = PoseSmoother()
    faces = [FacePose((0, 0, 1, 1), 1.0, 10, 0, 0), FacePose((5, 0, 6, 1), 1.0, -30, 0, 0)]
    assert smooth(faces, 0.0) == faces == smooth(faces, 0.1)
