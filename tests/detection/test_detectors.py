"""Detectors by name: what `auto` is, what they accept, and where their files come from."""

import numpy as np
import pytest

from fsanet_tf.detection import detectors
from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.errors import InputError
from fsanet_tf.io.images import read_image


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
    assert line.startswith(
        "detector: haar, since yunet is not present (http://127.0.0.1:9/none.onnx: could not"
    )
    assert len(detect(read_image("astronaut"))) == 1


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
    [None, np.zeros((90, 90), np.uint8), np.zeros((90, 90, 4), np.uint8), np.zeros((90, 90, 3)), "photo.jpg"],
    ids=["None", "gray", "BGRA", "float", "path"],
)
def test_what_is_no_bgr_frame_is_refused(frame):
    with pytest.raises(InputError, match="frame: expected a uint8 BGR image"):
        make_detector("haar")(frame)


def test_pillow_images_and_arrays_are_accepted_by_estimate():
    import fsanet_tf

    image = pytest.importorskip("PIL.Image")
    frame = read_image("astronaut")
    rgb = np.ascontiguousarray(frame[..., ::-1])
    expected = fsanet_tf.estimate(frame, detector="haar", color_order="BGR")
    assert fsanet_tf.estimate(rgb, detector="haar", color_order="RGB") == expected
    assert fsanet_tf.estimate(image.fromarray(rgb), detector="haar") == expected
    with pytest.raises(InputError, match="color_order: expected BGR or RGB for an array, received None"):
        fsanet_tf.estimate(frame)
