"""From a frame and boxes to poses: the same numbers as evaluation, in one batch, from any file."""

import shutil

import numpy as np
import pytest

from fsanet_tf.detection.detection import Detection
from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import LANDMARK_CROP, crop_box, grow_box
from fsanet_tf.geometry.pose import mirror_poses
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.network import predict_crops
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.networks.network import Network, Uncertainty, disagreement_and_turn, load_network
from fsanet_tf.networks.pretrained import keras_file, keras_files, shipped_networks
from fsanet_tf.prediction.predictor import PosePredictor
from tests.conftest import run_process


@pytest.fixture(scope="module")
def astronaut():
    return read_image("astronaut")


def counting_network(calls):
    def predict(crops):
        calls.append(crops)
        return np.stack([np.arange(3, dtype="float32") + i for i in range(len(crops))])

    return Network(predict, 64)


def test_all_faces_are_one_batch_of_the_one_crop(astronaut):
    calls = []
    boxes = [(200, 60, 260, 130), (10, 20, 90, 100), (300, 300, 420, 400)]
    faces = PosePredictor(counting_network(calls)).predict(astronaut, [Detection(box, 0.9) for box in boxes])
    assert len(calls) == 1 and calls[0].shape == (3, 64, 64, 3) and calls[0].dtype == np.float32
    for crop, box in zip(calls[0], boxes):
        np.testing.assert_array_equal(
            crop, crop_box(astronaut, grow_box(box, LANDMARK_CROP, astronaut.shape))
        )
    assert [face.box for face in faces] == boxes and faces[1].pose_deg == (1.0, 2.0, 3.0)


def test_boxes_without_pixels_are_left_out(astronaut):
    calls = []
    predictor = PosePredictor(counting_network(calls))
    bad = [(-90, -90, -50, -50), (900, 900, 950, 950), (5, 5, 5, 5)]
    assert predictor.predict(astronaut, [Detection(box, 1.0) for box in bad]) == []
    assert predictor.predict(astronaut, []) == [] and calls == []
    (face,) = predictor.predict(astronaut, [Detection(box) for box in (*bad, (10, 10, 90, 90))])
    assert face.index == 3 and face.box == (10, 10, 90, 90)


@pytest.mark.parametrize("face", [Detection((np.nan, 0, 1, 1)), Detection((90, 90, 10, 10)), (1, 2, 3, 4)])
def test_an_invalid_detection_is_refused(astronaut, face):
    with pytest.raises(InputError, match=r"expected left, top, right, bottom|expected a Detection, received"):
        PosePredictor(counting_network([])).predict(astronaut, [face])


@pytest.mark.parametrize("frame", [np.zeros((9, 9, 3)), np.zeros((9, 9), np.uint8), None])
def test_what_is_no_bgr_frame_is_refused(frame):
    with pytest.raises(InputError, match="frame: expected a uint8 BGR image"):
        PosePredictor(counting_network([])).predict(frame, [])


def test_an_answer_that_is_not_finite_is_refused(astronaut):
    network = Network(lambda crops: np.full((len(crops), 3), np.nan), 64)
    with pytest.raises(InputError, match="not finite"):
        PosePredictor(network).predict(astronaut, [Detection((10, 10, 90, 90), 1.0)])


def test_every_shipped_network_sees_the_astronaut_look_at_us(astronaut):
    faces = make_detector("mtcnn")(astronaut)
    assert set(shipped_networks()) == {"1x1", "var", "noS"}
    for name in ("fusion", *shipped_networks()):
        [face] = PosePredictor(name).predict(astronaut, faces)
        assert np.abs(face.pose_deg).max() < 20, name


def test_shipped_fusion_equals_evaluation(astronaut):
    """The demo's TFLite files give what `evaluate.py` gives for the `.keras` files, within 1e-3°."""
    crops = np.stack([crop_box(astronaut, box) for box in ((180, 60, 280, 180), (100, 10, 400, 310))])
    networks = [load_network(keras_file(name)) for name in shipped_networks()]
    np.testing.assert_allclose(
        load_network("fusion").predict(crops.astype("float32")), predict_poses(networks, crops), atol=1e-3
    )


def test_shipped_network_starts_without_tensorflow():
    code = (
        "import sys, numpy as np; from fsanet_tf.prediction.predictor import PosePredictor; "
        "from fsanet_tf.detection.detection import Detection; "
        "faces = [Detection((9, 9, 80, 80), 1)]; frame = np.zeros((99, 99, 3), np.uint8); "
        "print(PosePredictor('fusion').predict(frame, faces)); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    result = run_process("-c", code)
    assert result.returncode == 0 and "FacePose" in result.stdout, result.stderr


def test_networks_that_cannot_be_used_are_refused(tmp_path):
    for name, content, message in (
        ("a.tflite", b"rubbish" * 99, "expected a .tflite file"),
        ("a.onnx", b"rubbish" * 99, "expected an .onnx file"),
        ("a.pb", b"rubbish" * 99, "expected a frozen graph"),
        ("a.txt", b"rubbish", "expected a network"),
        ("b.keras", b"", "is empty"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=message):
            load_network(tmp_path / name)
    with pytest.raises(InputError, match="expected a SavedModel folder"):
        load_network(tmp_path)
    with pytest.raises(InputError, match="no such network"):
        load_network("nothing")


def test_detector_names_and_missing_files(monkeypatch, tmp_path):
    monkeypatch.setenv("FSANET_DETECTORS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(
        InputError, match=r"detector yunet: no face_detection_yunet\*\.onnx in .*FSANET_DETECTORS"
    ):
        make_detector("yunet")
    with pytest.raises(InputError, match="detector must be auto or one of"):
        make_detector("eyes")


@pytest.mark.parametrize("name", ["yunet", "ssd", "lbp", "haar", "mtcnn"])
def test_every_detector_finds_the_astronaut(name, astronaut, reference, monkeypatch):
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    faces = make_detector(name)(astronaut)
    centres = [((f.box[0] + f.box[2]) / 2, (f.box[1] + f.box[3]) / 2) for f in faces]
    assert any(abs(x - 225) < 30 and abs(y - 120) < 40 for x, y in centres), faces
    assert all(0 <= f.score <= 1 for f in faces)


def test_names_of_shipped_networks_mean_their_keras_files():
    names = [path.name for path in keras_files(["fusion", "a/net.keras"])]
    assert names == ["1x1.keras", "noS.keras", "var.keras", "net.keras"]
    assert load_model("var").name == "fsanet_var_capsule"


@pytest.mark.parametrize("card", ['{"margin_ratio": "wide"}', '{"margin_ratio": -1}', '{"square": 1}'])
def test_a_card_that_cannot_be_is_refused(card, tmp_path):
    shutil.copy(shipped_networks()["1x1"], tmp_path / "net.tflite")
    (tmp_path / "net.json").write_text(card)
    with pytest.raises(
        InputError, match=r"net\.tflite: its card is damaged: (margin_ratio|square): expected"
    ):
        load_network(tmp_path / "net.tflite")


def test_mirroring_averages_with_the_mirrored_crop(rng):
    network = load_network("1x1")
    crops = rng.uniform(0, 255, (3, 64, 64, 3)).astype(np.float32)
    expected = (network.predict(crops) + mirror_poses(network.predict(crops[:, :, ::-1].copy()))) / 2
    np.testing.assert_allclose(network.predict_with_uncertainty(crops, mirror=True)[0], expected, atol=1e-4)
    (face,) = PosePredictor(network, mirror=True).predict(
        np.pad(crops[0].astype(np.uint8), ((0, 1), (0, 1), (0, 0))), [Detection((0, 0, 64, 64))]
    )
    assert face.uncertainty_deg is None  # a single network


def test_uncertainty_grows_with_the_disagreement_of_the_members_and_the_turn_of_the_head():
    agreeing = np.tile([[30.0, 0, 0]], (3, 1))[:, None]
    apart = np.array([[[9.0, 0, 0]], [[0.0, 0, 0]], [[-9.0, 0, 0]]])  # 9°, 0° and 9° from the mean
    disagreement, turn = disagreement_and_turn(np.concatenate([agreeing, apart], axis=1))
    np.testing.assert_allclose(disagreement, [0, 6], rtol=0.05, atol=1e-6)  # 20°, 0° and 20° from the mean
    np.testing.assert_allclose(turn, [30, 0], rtol=0.05, atol=1)
    expected = Uncertainty(2.0, 0.5, 0.1).expected_error(np.concatenate([agreeing, apart], axis=1))
    np.testing.assert_allclose(expected, [2 + 3, 2 + 3], rtol=0.05)


def test_a_card_that_is_nested_too_deeply_is_refused(tmp_path):
    shutil.copy(shipped_networks()["1x1"], tmp_path / "net.tflite")
    (tmp_path / "net.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(InputError, match=r"net\.json: expected the card of a network"):
        load_network(tmp_path / "net.tflite")
