"""The shipped networks follow a face of known place: a window that moves, zooms and turns over a photo."""

import numpy as np
import pytest

from benchmarks.faces import labeled_pictures
from benchmarks.moving_window import MOTIONS, RATE, moving_window
from fsanet_tf.detection.detection import Detection
from fsanet_tf.io.images import read_image
from fsanet_tf.prediction.pose_tracker import PoseTracker
from fsanet_tf.prediction.predictor import PosePredictor

FACE = (192.0, 78.0, 264.0, 170.0)  # of the astronaut, roughly
NUM_PHOTOS = 24


def box_errors(found, true):
    """The distance of two boxes' centers as a share of the true side, and of their log sizes."""
    found_size, true_size = (np.array([b[2] - b[0], b[3] - b[1]]) for b in (found, true))
    between = (np.array(found[:2]) + found[2:] - true[:2] - true[2:]) / 2
    side = np.sqrt(true_size.prod())
    return np.linalg.norm(between) / side, np.log(found_size.prod() / true_size.prod()) / 2


def follow(network, image, box, motion, frames):
    """Detect in the first frame alone; return the errors of center and log size, a row per followed frame."""
    video = list(moving_window(image, box, motion, frames))
    calls = []

    def detect(frame):
        calls.append(frame)
        return [Detection(video[0][1])] if len(calls) == 1 else []

    tracker = PoseTracker(network, detect)
    errors = []
    for number, (frame, truth) in enumerate(video):
        faces = tracker(frame, number / RATE)
        if not faces:
            break
        (face,) = faces
        assert face.track == 1
        errors.append(box_errors(face.box, truth))
    return np.abs(errors)


@pytest.mark.parametrize("name", MOTIONS)
@pytest.mark.parametrize("network", ["strided", "1x1"])
def test_the_astronaut_is_followed_for_300_frames_without_a_detection(network, name):
    photo = read_image("astronaut")
    (face,) = PosePredictor(network, refine=2).predict(photo, [Detection(FACE)])
    errors = follow(network, photo, face.box, MOTIONS[name], 300)
    assert len(errors) == 300
    for part in (errors, errors[-60:]):  # no drift
        assert (part.mean(axis=0) < (0.05, 0.08)).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", MOTIONS)
def test_photos_are_followed(name, reference):
    predictor = PosePredictor("strided", refine=2)
    labeled, settled = [], []
    for image, box, _ in labeled_pictures(reference / "data/AFLW2000", NUM_PHOTOS):
        labeled.append(follow("strided", image, box, MOTIONS[name], 100))
        (face,) = predictor.predict(image, [Detection(box)])  # where the network sees it in the photo
        settled.append(follow("strided", image, face.box, MOTIONS[name], 100))
    assert {len(errors) for errors in labeled + settled} == {100}
    for videos, center, size in (labeled, 0.1, 0.07), (settled, 0.045, 0.055):
        assert (np.mean([errors.mean(axis=0) for errors in videos], axis=0) < (center, size)).all()
