"""From a frame and boxes to poses: every face by the one crop, in one batch."""

import numpy as np
import pytest

from fsanet_tf.detection.detection import Detection
from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import LANDMARK_CROP, crop_face
from fsanet_tf.geometry.pose import mirror_poses
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.card import POSE, NetworkCard
from fsanet_tf.networks.network import load_network
from fsanet_tf.networks.pretrained import list_networks
from fsanet_tf.prediction.predictor import PosePredictor
from tests.conftest import run_process


class CountingNetwork:
    """Keeps the crops; predicts 0, 1, 2 for the first, one more for each further one."""

    name, image_size, card = "counting", 64, NetworkCard(64)

    def __init__(self):
        self.calls = []

    def predict(self, crops):
        self.calls.append(crops)
        return {POSE: np.arange(3, dtype="float32") + np.arange(len(crops), dtype="float32")[:, None]}


@pytest.fixture(scope="module")
def astronaut():
    return read_image("astronaut")


def test_all_faces_are_one_batch_of_the_one_crop(astronaut):
    network = CountingNetwork()
    boxes = [(200, 60, 260, 130), (10, 20, 90, 100), (300, 300, 420, 400)]
    faces = PosePredictor(network).predict(astronaut, [Detection(box, 0.9) for box in boxes])
    (crops,) = network.calls
    assert crops.shape == (3, 64, 64, 3) and crops.dtype == np.float32
    for crop, box in zip(crops, boxes):
        np.testing.assert_array_equal(crop, crop_face(astronaut, box, LANDMARK_CROP))
    assert [face.box for face in faces] == boxes and faces[1].pose_deg == (1.0, 2.0, 3.0)


def test_boxes_without_pixels_are_left_out(astronaut):
    network = CountingNetwork()
    predictor = PosePredictor(network)
    bad = [(-90, -90, -50, -50), (900, 900, 950, 950), (5, 5, 5, 5)]
    assert predictor.predict(astronaut, [Detection(box, 1.0) for box in bad]) == []
    assert predictor.predict(astronaut, []) == [] and network.calls == []
    (face,) = predictor.predict(astronaut, [Detection(box) for box in (*bad, (10, 10, 90, 90))])
    assert face.index == 3 and face.box == (10, 10, 90, 90)


@pytest.mark.parametrize("face", [Detection((np.nan, 0, 1, 1)), Detection((90, 90, 10, 10)), (1, 2, 3, 4)])
def test_an_invalid_detection_is_refused(astronaut, face):
    with pytest.raises(
        InputError, match=r"expected left, top, right, bottom|expected a Detection with a box"
    ):
        PosePredictor(CountingNetwork()).predict(astronaut, [face])


@pytest.mark.parametrize("faces", [None, 3, "faces"])
def test_what_is_no_list_of_detections_is_refused(astronaut, faces):
    with pytest.raises(InputError, match="faces: expected a list of Detection, received"):
        PosePredictor(CountingNetwork()).predict(astronaut, faces)


@pytest.mark.parametrize("frame", [
    np.zeros((9, 9)), np.zeros((9, 9, 3)), np.zeros((9, 9, 4), np.uint8), np.zeros((0, 9, 3), np.uint8),
    [[1]], None,
])  # fmt: skip
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(InputError, match="frame: expected a uint8 BGR image"):
        PosePredictor(CountingNetwork()).predict(frame, [])


def test_every_shipped_network_sees_the_astronaut_look_at_us(astronaut):
    faces = [Detection((180, 90, 264, 174))]
    for name in list_networks():
        [face] = PosePredictor(name).predict(astronaut, faces)
        assert np.abs(face.pose_deg).max() < 20, name
        assert (face.uncertainty_deg is not None) == ("uncertainty_deg" in load_network(name).card.outputs)


def test_a_shipped_network_starts_without_tensorflow():
    code = (
        "import sys, numpy as np; from fsanet_tf.prediction.predictor import PosePredictor; "
        "from fsanet_tf.detection.detection import Detection; "
        "faces = [Detection((9, 9, 80, 80), 1)]; frame = np.zeros((99, 99, 3), np.uint8); "
        "print(PosePredictor('fusion').predict(frame, faces)); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    result = run_process("-c", code)
    assert result.returncode == 0 and "FacePose" in result.stdout, result.stderr


def test_mirroring_averages_with_the_mirrored_crop(astronaut):
    faces, network = [Detection((180, 90, 264, 174))], load_network("1x1")
    _, crops = PosePredictor(network).crop(astronaut, [faces[0].box])
    answers = [network.predict(np.ascontiguousarray(c))[POSE][0] for c in (crops, crops[:, :, ::-1])]
    (face,) = PosePredictor(network, mirror=True).predict(astronaut, faces)
    np.testing.assert_allclose(face.pose_deg, (answers[0] + mirror_poses(answers[1])) / 2, atol=1e-3)


def test_several_networks_are_averaged_and_a_numpy_margin_is_a_number(astronaut):
    faces = [Detection((180, 90, 264, 174))]
    members = [PosePredictor(name, np.float32(0.4)).predict(astronaut, faces)[0] for name in ("1x1", "var")]
    (face,) = PosePredictor(["1x1", "var"], 0.4).predict(astronaut, faces)
    np.testing.assert_allclose(face.pose_deg, np.mean([m.pose_deg for m in members], axis=0), atol=1e-3)


def test_auto_finds_the_astronaut(astronaut):
    assert len(PosePredictor("1x1").predict(astronaut, make_detector("haar")(astronaut))) == 1
