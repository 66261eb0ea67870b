"""Corrupted faces: what each corruption does, and the tables that `evaluate` makes of them."""

import json

import numpy as np
import pytest

import fsanet_tf
from fsanet_tf.errors import OptionError
from fsanet_tf.evaluation.config import CORRUPTIONS, EvaluationConfig
from fsanet_tf.evaluation.corruptions import CHANGES, corrupt
from fsanet_tf.evaluation.evaluate import evaluate
from fsanet_tf.export.parity import astronaut_samples
from fsanet_tf.geometry.crop import CropRule
from tests.conftest import assert_one_clear_line, run_fsanet, write_noise_faces

RULE = CropRule(0.29, square=True)
SHARE = 1 / 1.58
COVERING = ("face_mask", "sunglasses", "hand", "block")


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return astronaut_samples(96, RULE).crops[:4].astype(np.uint8)


def test_every_corruption_has_a_function():
    assert list(CHANGES) == list(CORRUPTIONS)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_grows_with_its_strength_and_is_the_same_again(name, faces):
    poses = np.zeros((4, 3))
    changed = [corrupt(faces, poses, name, strength, SHARE) for strength in (1, 2, 3)]
    distances = [np.abs(images.astype(float) - faces).mean() for images in changed]
    if name in COVERING:  # more of the face
        distances = [(images != faces)[:, 18:-18, 18:-18].mean() for images in changed]
    assert 0 < distances[0] < distances[1] < distances[2]
    assert np.array_equal(corrupt(faces, poses, name, 2, SHARE), changed[1])
    if name in (*COVERING, "noise"):
        assert not np.array_equal(corrupt(faces, poses, name, 2, SHARE, seed=1), changed[1])


@pytest.mark.parametrize("name", COVERING)
def test_what_covers_a_face_leaves_the_upper_corners(name, faces):
    changed = corrupt(faces, np.zeros((4, 3)), name, 3, SHARE)
    assert np.array_equal(changed[:, :12, :12], faces[:, :12, :12])


def test_resolution_is_that_of_the_face_box(faces):
    """Of a face box of 12 pixels, no detail of less than that is left."""
    stripes = np.zeros((1, 96, 96, 3), np.uint8)
    stripes[:, :, ::2] = 255
    coarse = corrupt(stripes, np.zeros((1, 3)), "low_resolution", 3, SHARE).astype(int)
    assert np.ptp(coarse[:, 20:-20, 20:-20]) < 30
    fine = corrupt(faces, np.zeros((4, 3)), "low_resolution", 1, 0.25)  # a box of 24 pixels, fewer than 32
    assert np.abs(fine.astype(int) - faces).max() <= 1


def test_evaluate_adds_a_row_for_each_corruption(tmp_path):
    write_noise_faces(tmp_path / "faces.npz", 8, RULE)
    options = (
        "--network=1x1",
        "--compare_with=var",
        "--data=faces.npz",
        "--corrupt=gray:3,dark",
        "--output_dir=out",
    )
    result = run_fsanet("evaluate", *options, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    start = lines.index("1x1 on corrupted faces:")
    assert [line.split()[:2] for line in lines[start + 2 : start + 6]] == [
        ["gray", "3"], ["dark", "1"], ["dark", "2"], ["dark", "3"],
    ]  # fmt: skip
    assert "var on corrupted faces:" in lines
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    ours, theirs = report["corrupted_errors_deg"]
    assert list(ours) == list(theirs) == ["gray 3", "dark 1", "dark 2", "dark 3"]
    assert ours["gray 3"] != theirs["gray 3"] and ours["gray 3"] != report["errors_deg"]["all"]


def test_the_errors_are_those_of_the_corrupted_crops(tmp_path):
    write_noise_faces(tmp_path / "faces.npz", 8, RULE)
    data = str(tmp_path / "faces.npz")
    report = evaluate(EvaluationConfig(network="1x1", data=data, corrupt="block:2"))
    dataset = fsanet_tf.load_dataset(data)
    changed = corrupt(dataset.images, dataset.poses, "block", 2, SHARE)
    poses = fsanet_tf.load_network("1x1").predict(changed.astype(np.float32))["pose"]
    expected = np.abs(poses - dataset.poses).mean()
    assert report.corrupted_errors_deg[0]["block 2"].mae == pytest.approx(expected, abs=1e-3)


def test_corruptions_that_do_not_exist_are_refused():
    everything = EvaluationConfig(network="1x1", data="a.npz", corrupt=("all:1", "noise:1"))
    assert everything.corruptions() == [(name, 1) for name in CORRUPTIONS]
    for text in ("rain", "noise:4", "noise:", "all:x"):
        with pytest.raises(OptionError, match=r"corrupt: expected .*received"):
            EvaluationConfig(network="1x1", data="a.npz", corrupt=text)
    result = run_fsanet("evaluate", "--network=1x1", "--data=a.npz", "--corrupt=rain")
    assert_one_clear_line(result, "--corrupt", "rain")
