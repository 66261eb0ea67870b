"""Detectors by name: what `auto` is, what they accept, and where their files come from."""

import cv2
import numpy as np
import pytest

from fsanet_tf.detection import detectors
from fsanet_tf.detection.detection import Detection
from fsanet_tf.detection.detectors import DETECTORS, DetectorKind, make_detector
from fsanet_tf.detection.face_pose import is_face
from fsanet_tf.errors import InputError
from fsanet_tf.io.images import read_image
from fsanet_tf.registry import register


@pytest.fixture
def no_files(tmp_path, monkeypatch):
    """A machine without any detector's files, and without a network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("FSANET_DETECTORS", raising=False)
    assets = tuple(
        detectors.Asset(asset.pattern, "http://127.0.0.1:9/none.onnx", asset.sha256)
        for asset in detectors.YUNET_ASSETS
    )
    kinds = dict(detectors.DETECTORS)
    kinds["yunet"] = detectors.DetectorKind(kinds["yunet"].make, 0.74, assets)
    kinds["mtcnn"] = detectors.DetectorKind(kinds["mtcnn"].make, 0.77, package="a_package_that_is_absent")
    monkeypatch.setattr(detectors, "DETECTORS", kinds)


def test_auto_is_the_best_present_and_says_so(no_files, capsys):
    detect = make_detector("auto")
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "detector: haar, since yunet is not present (could not download it: Connection refused)"
    assert len(detect(read_image("astronaut"))) == 1


def test_no_home_folder_is_no_obstacle(no_files, monkeypatch, capsys):
    """As in a container whose user has no entry in its list of users."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert len(make_detector("auto")(read_image("astronaut"))) == 1
    assert "there is no home folder to download to" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"detector lbp: no lbpcascade.*there is no home folder"):
        make_detector("lbp")


def test_auto_is_yunet_without_a_word_if_it_is_there(reference, monkeypatch, capsys):
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    frame = read_image("astronaut")
    assert make_detector("auto")(frame) == make_detector("yunet")(frame)
    assert capsys.readouterr().err == ""


def test_a_download_that_hangs_is_given_up(monkeypatch, tmp_path):
    import threading

    from fsanet_tf.detection import assets

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    forever = threading.Event()
    monkeypatch.setattr(assets, "download", lambda *_, **__: forever.wait())
    assert assets.try_download(detectors.YUNET_ASSETS[0], patience_s=0.05) == "no answer within 0.05 s"
    forever.set()


@pytest.mark.parametrize(
    "frame",
    [None, np.zeros((90, 90, 4), np.uint8), np.zeros((90, 90, 3)), "photo.jpg"],
    ids=["None", "BGRA", "float", "path"],
)
def test_what_is_no_bgr_frame_is_refused(frame):
    with pytest.raises(InputError, match="frame: expected a uint8 BGR image"):
        make_detector("haar")(frame)


@pytest.mark.parametrize("name", ["yunet", "ssd", "lbp", "haar", "mtcnn"])
def test_every_detector_draws_the_face_box_of_the_astronaut(name, reference, monkeypatch):
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    face = make_detector(name)(read_image("astronaut"))[0]  # the surest first
    left, top, right, bottom = face.box
    assert abs((left + right) / 2 - 222) < 12 and abs((top + bottom) / 2 - 130) < 15, face
    assert 70 < right - left < 110 and right - left == pytest.approx(bottom - top) and 0 < face.score <= 1


def test_detectors_and_files_that_are_absent_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("FSANET_DETECTORS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(
        InputError, match=r"detector yunet: no face_detection_yunet\*\.onnx in .*FSANET_DETECTORS"
    ):
        make_detector("yunet")
    with pytest.raises(InputError, match="detector: expected one of yunet, mtcnn"):
        make_detector("eyes")
    with pytest.raises(InputError, match="detector: expected a name or a function of a frame, received 7"):
        make_detector(7)


FRAME = np.zeros((90, 120, 3), np.uint8)
BAD = [
    Detection((np.nan, 0, 10, 10)), Detection((0, 0, np.inf, 10)), Detection((10, 0, 0, 10)),
    Detection((200, 0, 210, 10)), Detection((-50, -50, -5, 0)), Detection((0, 0, 1e25, 10)),
    Detection((0, 0, 10, 10), 1.5), Detection((0, 0, 10, 10), np.nan), Detection((5, 5, 5, 9)),
    Detection((5, 5, 5.5, 90)),
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD)
def test_what_no_detector_may_return_is_left_out_with_a_warning(bad):
    good = Detection((-5.0, 10.0, 40.0, 60.0), 0.3)
    with pytest.warns(UserWarning, match="detector <lambda>: 1 invalid detections left out"):
        assert make_detector(lambda frame: [bad, good])(FRAME) == [good]


NO_DETECTIONS = [
    [(1, 2, 3, 4)], [Detection((1, 2, 3))], [None], [Detection(None)], [Detection(("a", 1, 2, 3))],
    [Detection((1j, 0, 10, 10))], [Detection((0, 0, 10, 10), "high")], [Detection("1234")],
    [Detection((0, 0, 10**400, 10))], [Detection((0, 0, 10, 10), 1.0, np.nan)], [np.zeros((3, 5))],
]  # fmt: skip


@pytest.mark.parametrize("found", NO_DETECTIONS)
def test_what_is_no_detection_is_refused(found):
    with pytest.raises(InputError, match="detector <lambda>: expected a Detection with a box of four"):
        make_detector(lambda frame: found)(FRAME)


@pytest.mark.parametrize("found", [None, 3, np.zeros((0, 4))])
def test_what_is_no_list_is_refused(found):
    with pytest.raises(InputError, match="detector <lambda>: expected a list of Detection, received"):
        make_detector(lambda frame: found)(FRAME)


def test_a_detector_may_draw_on_its_frame():
    def detect(frame):
        frame[:] = 255
        return [Detection((10, 10, 50, 60))]

    frame = FRAME.copy()
    assert len(make_detector(detect)(frame)) == 1
    np.testing.assert_array_equal(frame, FRAME)


def test_registered_detectors_that_cannot_be_built_are_named(monkeypatch):
    monkeypatch.setattr(DETECTORS, "_entries", dict(DETECTORS._entries))
    register("detector", "fails")(DetectorKind(lambda: 1 / 0))
    register("detector", "empty")(DetectorKind(lambda: None))
    register("detector", "plain")(lambda frame: [Detection((10, 10, 50, 60))])
    with pytest.raises(InputError, match=r"detector fails: could not build it \(ZeroDivisionError: division"):
        make_detector("fails")
    with pytest.raises(
        InputError, match=r"detector empty: could not build it .*function of a frame, received"
    ):
        make_detector("empty")
    assert make_detector("plain")(FRAME) == [Detection((10.0, 10.0, 50.0, 60.0))]


def test_numbers_of_numpy_become_pythons():
    (face,) = make_detector(lambda frame: [Detection(np.float32([1, 2, 30, 40]), np.float32(0.5))])(FRAME)
    assert face == Detection((1.0, 2.0, 30.0, 40.0), 0.5)
    assert all(type(number) is float for number in (*face.box, face.score))


@pytest.mark.parametrize("name", ["yunet", "ssd", "haar", "lbp"])
@pytest.mark.parametrize("size", [(20, 800), (32, 640), (16, 500), (32, 32), (1, 1), (800, 20)])
def test_narrow_frames_have_plausible_boxes(size, name, reference, monkeypatch):
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    detect = make_detector(name)
    for frame in (np.zeros((*size, 3), np.uint8), cv2.resize(read_image("astronaut"), size[::-1])):
        found = detect(frame)
        assert found == detect(frame)
        assert np.isfinite([face.box for face in found]).all() and len(found) <= 1


def test_a_small_picture_of_a_face_is_padded_and_its_box_shifted_back(reference, monkeypatch):
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    small = cv2.resize(read_image("astronaut")[40:220, 130:310], (32, 32), interpolation=cv2.INTER_AREA)
    (face,) = make_detector("yunet")(small)
    x, y = (face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2
    assert abs(x - 16) < 3 and abs(y - 16) < 4


@pytest.mark.parametrize("side", [256, 2048, 6000])
def test_the_right_face_comes_first_at_every_size(side, reference, monkeypatch):
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    frame = cv2.resize(read_image("astronaut"), (side, side))
    face = make_detector("yunet")(frame)[0]
    x, y = (np.array(face.box[:2]) + face.box[2:]) / 2 * 512 / side
    assert abs(x - 222) < 12 and abs(y - 130) < 15


def test_small_faces_of_a_large_photo_are_found(reference, monkeypatch):
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    photo = np.full((1500, 2000, 3), 90, np.uint8)
    face = read_image("astronaut")[20:240, 110:330]
    photo[600:1500, 100:1000] = cv2.resize(face, (900, 900))
    for x in range(1100, 1900, 160):
        photo[300:380, x : x + 80] = cv2.resize(face, (80, 80), interpolation=cv2.INTER_AREA)
    found = make_detector("yunet")(photo)
    assert len(found) == 6 and sorted(round(f.box[2] - f.box[0]) > 200 for f in found) == [False] * 5 + [True]


def test_a_crowd_of_tiny_faces_is_found_in_tiles(reference, monkeypatch):
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    photo = np.full((2200, 2600, 3), 90, np.uint8)
    face = cv2.resize(read_image("astronaut")[20:240, 110:330], (60, 60), interpolation=cv2.INTER_AREA)
    lefts, tops = (40, 1200, 1980, 2500), (30, 1100, 2030)  # two of them where tiles meet
    for left in lefts:
        for top in tops:
            photo[top : top + 60, left : left + 60] = face
    found = make_detector("yunet")(photo)
    assert len(found) == len(lefts) * len(tops)
    assert sorted({round(f.box[0] / 10) * 10 for f in found}) == [60, 1220, 2000, 2520]


def test_the_surer_the_network_the_less_the_detector_has_to_be():
    assert is_face(0.45, 1.0) and not is_face(0.45, 0.9)
    assert is_face(0.95, 0.5) and not is_face(1.0, 0.49)
    assert is_face(0.6) and not is_face(0.59)  # no score of the network
    assert is_face(None, 0.5) and is_face(None)
