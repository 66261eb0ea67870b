"""Two thousand damaged files: every reader answers with its own error or a sound result, and nothing else."""

import faulthandler
import functools
import json
import os
import warnings
import zipfile

import cv2
import numpy as np
import pytest
import scipy.io

from fsanet_tf.data.dataset import FaceDataset, load_dataset, save_dataset
from fsanet_tf.data.preprocessing.landmark_pairs import read_labels
from fsanet_tf.errors import InputError
from fsanet_tf.export.formats import export_frozen_graph, export_onnx, export_tflite
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.io.files import write_json
from fsanet_tf.io.images import read_image
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import NetworkCard, read_card
from fsanet_tf.networks.keras_files import load_model, save_model
from fsanet_tf.networks.network import load_network
from fsanet_tf.networks.released import legacy
from fsanet_tf.prediction.sources import Video
from fsanet_tf.training.config import TrainingConfig
from fsanet_tf.training.run_directory import config_as_json, is_finished
from fsanet_tf.training.run_directory import read_log as read_training_log
from tests.legacy_files import legacy_arrays, write_legacy

CARD = NetworkCard(16, CropRule(0.29, square=True))


def mutate(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with bytes flipped, a part overwritten, doubled, cut out, or its end cut off."""
    data = bytearray(content)
    start = int(rng.integers(len(data)))
    stop = min(len(data), start + int(rng.integers(1, 200)))
    match rng.integers(5):
        case 0:
            for at in rng.integers(len(data), size=int(rng.integers(1, 20))):
                data[at] ^= int(rng.integers(1, 256))
        case 1:
            data[start:stop] = rng.bytes(stop - start)
        case 2:
            data[start:start] = data[start:stop]
        case 3:
            del data[start:stop]
        case _:
            del data[start:]
    return bytes(data)


def write_dataset(path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 16, 16, 3), np.uint8)
    poses = rng.uniform(-90, 90, (4, 3))
    save_dataset(
        path,
        FaceDataset.from_arrays(images, poses, np.array([f"face{i}.jpg" for i in range(4)]), CropRule(0.6)),
    )


def write_labels(path):
    scipy.io.savemat(path, {"Pose_Para": np.zeros((1, 7)), "pt2d": np.full((2, 21), 50.0)})


def write_photo(path):
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))


def write_card(path):
    path.with_suffix(".keras").write_bytes(b"a network of version 0.3, whose card is next to it")
    path.with_suffix(".json").write_text(json.dumps({"margin_ratio": 0.29, "square": True, "variant": "x"}))


def write_video(path):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (32, 32))
    for shade in (0, 100, 200):
        writer.write(np.full((32, 32, 3), shade, np.uint8))
    writer.release()


def small_model():
    return build_model("fsanet_noS_metric_tiny", image_size=16)


def write_network(path):
    save_model(path, small_model(), CARD)


def write_tflite(path):
    export_tflite(small_model(), path, "float32", CARD)


def write_onnx(path):
    export_onnx(small_model(), path, CARD)


def write_frozen_graph(path):
    export_frozen_graph(small_model(), path, CARD)


def answer(path):
    return load_network(path).predict(np.zeros((1, 16, 16, 3), np.float32))


def write_released(path):
    write_legacy(path, legacy_arrays(build_model("fsanet_noS_metric")))


def write_run(path):
    write_json(path, config_as_json(TrainingConfig(data=("a.npz",), output_dir=str(path.parent))))


def write_log(path):
    path.write_text("epoch,loss,val_loss,val_mae\n1.0,30.5,28.25,28.25\n2.0,20.5,18.25,18.25\n")


def read_log(path):
    read_training_log(path.parent, 2)


MUTATED_LABELS = 500
READERS = {
    "faces.npz": (write_dataset, load_dataset, 700),
    "card.json": (write_card, lambda path: read_card(path.with_suffix(".keras")), 300),
    "config.json": (write_run, lambda path: is_finished(TrainingConfig("a.npz", str(path.parent))), 200),
    "log.csv": (write_log, read_log, 200),
    "photo.jpg": (write_photo, read_image, 150),
    "photo.png": (write_photo, read_image, 150),
    "video.avi": (write_video, lambda path: list(Video(str(path))), 60),
    "net.keras": (write_network, load_model, 80),
    "net.h5": (write_released, load_model, 80),
    "net.tflite": (write_tflite, answer, 200),
    "net.onnx": (write_onnx, answer, 60),
    "net.pb": (write_frozen_graph, answer, 40),
}


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_refused_in_one_way(name, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(legacy, "build_model", functools.cache(build_model))  # which takes most of the time
    write, read, count = READERS[name]
    path, rng = tmp_path / name, np.random.default_rng(7)
    write(path)
    content = path.read_bytes()
    read(path)  # whole, it is read
    refused = 0
    for _ in range(count):
        path.write_bytes(mutate(content, rng))
        before = {file.name for file in tmp_path.iterdir()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                result = read(path)
                refused += result is None
            except InputError as error:
                refused += len(str(error).splitlines()) == 1
        assert {file.name for file in tmp_path.iterdir()} == before
    assert refused > 0


def test_damaged_labels_are_refused_in_one_way(tmp_path):
    """In child processes: SciPy's reader is C, and a few damaged files in 500 crash it.

    `preprocess` leaves such a file out by name; nothing else may leave `read_labels`.
    """
    path, rng = tmp_path / "labels.mat", np.random.default_rng(7)
    write_labels(path)
    mutants = [mutate(path.read_bytes(), rng) for _ in range(MUTATED_LABELS)]
    progress, crashes = tmp_path / "progress", 0
    progress.write_text("0")
    while (first := int(progress.read_text())) < len(mutants):
        child = os.fork()
        if child == 0:
            os._exit(_read_mutated_labels(path, mutants, first, progress))
        _, status = os.waitpid(child, 0)
        assert not os.WIFEXITED(status) or os.WEXITSTATUS(status) == 0, f"mutant {progress.read_text()}"
        if os.WIFSIGNALED(status):
            crashes += 1
            progress.write_text(str(int(progress.read_text()) + 1))
    assert crashes <= 0.02 * len(mutants)


def _read_mutated_labels(path, mutants, first, progress) -> int:
    """Read all from the first; the exit status: whether anything but `InputError` came."""
    faulthandler.disable()
    for number in range(first, len(mutants)):
        progress.write_text(str(number))
        path.write_bytes(mutants[number])
        try:
            read_labels(path)
        except InputError:
            pass
        except BaseException:
            return 1
    progress.write_text(str(len(mutants)))
    return 0


def test_two_thousand_inputs():
    assert MUTATED_LABELS + sum(count for _, _, count in READERS.values()) >= 2000


def test_a_keras_file_runs_no_code(tmp_path):
    """A Lambda layer with bytecode, Keras's way to carry code in a file, is refused."""
    import keras

    inputs = keras.Input((16, 16, 3))
    outputs = keras.layers.Lambda(lambda x: x[:, 0, 0])(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "net.keras")
    with pytest.raises(InputError, match="expected a network"):
        load_model(tmp_path / "net.keras")


def test_an_npz_of_objects_is_refused(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    np.savez(tmp_path / "a.npz", image=np.array([Bomb()], dtype=object), pose=np.zeros((1, 3)))
    assert zipfile.is_zipfile(tmp_path / "a.npz")
    (tmp_path / "touched").unlink(missing_ok=True)
    with pytest.raises(InputError):
        load_dataset(tmp_path / "a.npz")
    assert not (tmp_path / "touched").exists()


def test_a_damaged_tflite_header_is_refused(tmp_path):
    (tmp_path / "a.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(100))
    with pytest.raises(InputError, match=r"expected a \.tflite file"):
        load_network(tmp_path / "a.tflite")
