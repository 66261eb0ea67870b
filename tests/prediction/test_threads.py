"""One predictor and one detector shared by many threads, equal to what one thread computes."""

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fsanet_tf.detection.detection import Detection
from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.export.formats import export_frozen_graph, export_onnx, export_saved_model, export_tflite
from fsanet_tf.io.images import read_image
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import NetworkCard
from fsanet_tf.networks.keras_files import save_model
from fsanet_tf.networks.network import load_network
from fsanet_tf.networks.runtimes import split
from fsanet_tf.parallel import map_in_threads
from fsanet_tf.prediction.predictor import PosePredictor

NUM_THREADS, NUM_CALLS = 8, 400


@pytest.fixture(scope="module")
def files(tiny, tmp_path_factory):
    """One network in every format."""
    folder = tmp_path_factory.mktemp("formats")
    model, card = build_model("fsanet_var_capsule_tiny", image_size=32), NetworkCard(32)
    save_model(folder / "net.keras", model, card)
    export_saved_model(model, folder / "saved_model", card)
    export_frozen_graph(model, folder / "net.pb", card)
    export_onnx(model, folder / "net.onnx", card)
    export_tflite(model, folder / "net.tflite", "float32", card, batch=None)
    export_tflite(model, folder / "one.tflite", "float32", card, batch=1)
    return folder


@pytest.mark.parametrize(
    "name", ["net.keras", "saved_model", "net.pb", "net.onnx", "net.tflite", "one.tflite"]
)
def test_every_thread_gets_its_own_poses(name, files, rng):
    network = load_network(files / name)
    batches = [rng.uniform(0, 255, (n, 32, 32, 3)).astype(np.float32) for n in (1, 2, 3, 5, 9)]
    expected = [network.predict(batch) for batch in batches]
    with ThreadPoolExecutor(NUM_THREADS) as threads:
        results = threads.map(network.predict, batches * (NUM_CALLS // 5))
        for number, poses in enumerate(results):
            np.testing.assert_array_equal(poses["pose"], expected[number % 5]["pose"])


def test_every_thread_gets_its_own_faces(rng):
    predictor = PosePredictor("fusion")
    frame = read_image("astronaut")
    faces = [Detection((180 + x, 60, 270 + x, 180)) for x in range(0, 60, 12)]
    expected = [predictor.predict(frame, [face])[0].pose_deg for face in faces]
    with ThreadPoolExecutor(NUM_THREADS) as threads:
        results = threads.map(lambda face: predictor.predict(frame, [face]), faces * (NUM_CALLS // 5))
        for number, (result,) in enumerate(results):
            assert result.pose_deg == expected[number % 5]


@pytest.mark.parametrize("name", ["yunet", "ssd", "haar", "lbp"])
def test_every_thread_gets_its_own_boxes(name, reference, monkeypatch):
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    detect = make_detector(name)
    frames = [np.ascontiguousarray(read_image("astronaut")[:300, x : x + 350]) for x in (60, 90, 120, 150)]
    expected = [detect(frame) for frame in frames]
    assert all(expected)
    stdout, stderr = sys.stdout, sys.stderr
    with ThreadPoolExecutor(NUM_THREADS) as threads:
        results = list(threads.map(detect, frames * 10))
    assert results == expected * 10 and sys.stdout is stdout and sys.stderr is stderr


def test_reading_images_in_threads_leaves_the_streams_alone():
    stdout, stderr = sys.stdout, sys.stderr
    with ThreadPoolExecutor(NUM_THREADS) as threads:
        list(threads.map(read_image, ["astronaut"] * 50))
    assert sys.stdout is stdout and sys.stderr is stderr and not sys.stdout.closed


def test_a_predictor_can_be_pickled_and_copied():
    predictor = PosePredictor("1x1", margin_ratio=0.4)
    frame, faces = read_image("astronaut"), [Detection((180, 60, 270, 180))]
    for other in (pickle.loads(pickle.dumps(predictor)), copy.deepcopy(predictor)):
        assert other.predict(frame, faces) == predictor.predict(frame, faces)


@pytest.mark.parametrize(("count", "threads", "expected"), [
    (11, 2, [4, 4, 2, 1]), (4, 2, [2, 2]), (3, 2, [1, 1, 1]), (2, 2, [1, 1]), (7, 1, [4, 2, 1]), (0, 2, []),
])  # fmt: skip
def test_chunks_have_few_sizes_and_every_thread_gets_one(count, threads, expected):
    crops = np.arange(count)
    parts = split(crops, threads)
    assert [len(part) for part in parts] == expected
    np.testing.assert_array_equal(np.concatenate([crops[:0], *parts]), crops)


def test_an_error_in_a_thread_reaches_the_caller():
    def fail(number):
        if number == 3:
            raise ValueError("three")
        return number

    assert map_in_threads(lambda number: 2 * number, range(5), 3) == [0, 2, 4, 6, 8]
    with pytest.raises(ValueError, match="three"):
        map_in_threads(fail, range(20), 4)


def test_no_face_is_no_pose():
    assert load_network("1x1").predict(np.zeros((0, 64, 64, 3), np.float32))["pose"].shape == (0, 3)
