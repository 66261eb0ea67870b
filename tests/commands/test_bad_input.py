"""Thirty mistakes a user makes, command by command: one clear line, status not 0, nothing half-written."""

import numpy as np
import pytest

from fsanet_tf.batch.label import label
from fsanet_tf.data.dataset import FaceDataset, save_dataset
from fsanet_tf.data.preprocessing.crops import preprocess
from fsanet_tf.data.preprocessing.landmark_pairs import LandmarkPairsConfig
from fsanet_tf.data.preprocessing.synthetic import synthesize
from fsanet_tf.errors import InputError
from fsanet_tf.evaluation.evaluate import evaluate
from fsanet_tf.export.export import export_model
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.training.trainer import train
from tests.conftest import assert_one_clear_line, run_fsanet

EVALUATE = ("evaluate",)
TRAIN = ("train", "--output_dir=out/run")
CONVERT = ("convert",)
PREPARE = ("preprocess", "300w_lp")
BIWI = ("preprocess", "biwi")
DOWNLOAD = ("download",)
GOOD, ANY = "--data=good.npz", "--network=1x1"

CASES = [
    # evaluate
    ((*EVALUATE, GOOD), "--network: is required"),
    ((*EVALUATE, GOOD, "--network=absent.keras"), "absent.keras: no such network"),
    ((*EVALUATE, GOOD, "--network=folder"), "folder: expected a SavedModel folder"),
    ((*EVALUATE, GOOD, "--network=empty.keras"), "empty.keras: is empty"),
    ((*EVALUATE, GOOD, "--network=text.txt"), "text.txt: expected a network"),
    ((*EVALUATE, GOOD, "--network=text.keras"), "text.keras: expected a network"),
    ((*EVALUATE, GOOD, "--network=text.h5"), "text.h5: expected a weight file of the original"),
    ((*EVALUATE, ANY, "--data=absent.npz"), "absent.npz: no such file"),
    ((*EVALUATE, ANY, "--data=folder"), "folder: is a folder"),
    ((*EVALUATE, ANY, "--data=empty.npz"), "empty.npz: is empty"),
    ((*EVALUATE, ANY, "--data=text.npz"), "text.npz: expected an .npz"),
    ((*EVALUATE, ANY, "--data=keys.npz"), "image and pose missing"),
    ((*EVALUATE, ANY, "--data=shape.npz"), "image must be uint8 (N, S, S, 3)"),
    ((*EVALUATE, ANY, "--data=nan.npz"), "nan.npz: pose 1 is not finite"),
    ((*EVALUATE, ANY, "--data=extreme.npz"), "no face has all angles within ±99°"),
    ((*EVALUATE, ANY, GOOD, "more"), "unexpected argument 'more'"),
    # train
    (TRAIN, "--data: is required"),
    ((*TRAIN, "--data=absent.npz"), "absent.npz: no such file"),
    ((*TRAIN, "--data=text.npz"), "text.npz: expected an .npz"),
    ((*TRAIN, GOOD, "--flip=2"), "--flip: expected a number from 0 to 1, received 2"),
    ((*TRAIN, GOOD, "--batch_size=64"), "faces to train on, expected at least a batch of 64"),
    ((*TRAIN, GOOD, "--image_size=50"), "--image_size: expected a multiple of 8"),
    ((*TRAIN, GOOD, "--batch_size=2", "--init_network=absent.keras"), "absent.keras: no such network"),
    # convert
    ((*CONVERT, "--network=absent.h5", "--output=out.keras"), "absent.h5: no such file"),
    ((*CONVERT, "--network=text.h5", "--output=out.keras"), "text.h5: expected a weight file"),
    ((*CONVERT, "--network=empty.h5", "--output=out.keras"), "empty.h5: is empty"),
    # preprocessing
    ((*PREPARE, "--input_dir=absent", "--output=out.npz"), "absent: no such folder"),
    (
        (*PREPARE, "--input_dir=folder", "--output=out.npz"),
        "folder: expected .jpg and .mat pairs, found none",
    ),
    ((*PREPARE, "--input_dir=bad", "--output=out.npz", "--strict"), "a: no labels a.mat"),
    ((*BIWI, "--input_dir=absent", "--output=out.npz"), "absent: no such folder"),
    ((*BIWI, "--input_dir=folder", "--output=out.npz"), "expected folders with frame_NNNNN_rgb.png"),
    ((*DOWNLOAD, "--output_dir=out", "--names=x"), "--names: expected one of"),
    ((*DOWNLOAD, "--output_dir=out", "--base_url=nonsense"), "could not download it"),
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    root = tmp_path_factory.mktemp("mistakes")
    (root / "folder").mkdir()
    (root / "bad").mkdir()
    (root / "bad/a.jpg").write_bytes(b"no picture")
    for suffix in ("keras", "npz", "h5"):
        (root / f"empty.{suffix}").write_bytes(b"")
        (root / f"text.{suffix}").write_bytes(b"hello " * 100)
    (root / "text.txt").write_text("hello")
    images, poses = np.zeros((8, 64, 64, 3), np.uint8), np.zeros((8, 3))
    save_dataset(root / "good.npz", FaceDataset.from_arrays(images, poses, crop=CropRule(0.29)))
    save_dataset(root / "extreme.npz", FaceDataset.from_arrays(images, poses + 100))
    np.savez(root / "keys.npz", x=poses)
    np.savez(root / "shape.npz", image=images[..., :1], pose=poses)
    poses[1, 2] = np.nan
    np.savez(root / "nan.npz", image=images, pose=poses)
    return root


@pytest.mark.parametrize(("arguments", "message"), CASES, ids=[" ".join(a) for a, _ in CASES])
def test_mistake_is_one_clear_line(arguments, message, workplace):
    before = {path for path in workplace.rglob("*") if "out" not in path.relative_to(workplace).parts[0]}
    result = run_fsanet(*arguments, cwd=workplace)
    assert_one_clear_line(result, "error: ", message)
    after = {path for path in workplace.rglob("*") if "out" not in path.relative_to(workplace).parts[0]}
    assert after == before
    assert not {path.suffix for path in workplace.rglob("out*")} & {".npz", ".keras", ".h5", ".part"}


@pytest.mark.parametrize("function", [label, evaluate, preprocess, synthesize, train, export_model])
def test_in_python_something_else_than_a_configuration_is_one_clear_line(function):
    with pytest.raises(InputError, match=r"config: expected .*Config, received 'photos'") as error:
        function("photos")
    assert "\n" not in str(error.value)


def test_a_class_is_no_configuration():
    with pytest.raises(
        InputError, match=r"config: expected a LandmarkPairsConfig, .* or FaceTableConfig, received"
    ):
        preprocess(LandmarkPairsConfig)
