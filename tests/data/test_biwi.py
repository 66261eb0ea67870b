"""BIWI: every rule of the original, on a made-up layout with a real face."""

import cv2
import numpy as np
import pytest

from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.data.preprocessing.biwi import (
    BiwiConfig,
    VideoCropper,
    accepted_box,
    pose_from_biwi_rotation,
    read_pose,
    split_videos,
)
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.geometry.pose import rotation_matrices
from tests.biwi_files import FRAME, write_frame, write_hpdb
from tests.conftest import run_fsanet

COMMAND = ("preprocess", "biwi")


@pytest.fixture(scope="module")
def hpdb(tmp_path_factory):
    root = tmp_path_factory.mktemp("hpdb")
    write_hpdb(root)
    return root


@pytest.mark.parametrize(("axis", "angle", "sign"), [("yaw", 0, 1), ("pitch", 1, -1), ("roll", 2, 1)])
def test_angles_of_known_rotations(axis, angle, sign):
    a = np.deg2rad(20)
    c, s = np.cos(a), np.sin(a)
    rotation = {
        "yaw": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "pitch": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "roll": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }[axis]
    # The original's formulas on the transposed matrix, by hand: for a turn about y by a,
    # R20 of the transpose is s, so yaw = −atan2(−s, c) = a; and so on.
    expected = np.zeros(3)
    expected[angle] = 20 * sign
    np.testing.assert_allclose(pose_from_biwi_rotation(np.array(rotation)), expected, atol=1e-9)


def test_pose_file_is_read_and_a_broken_one_refused(tmp_path):
    write_frame(tmp_path, 1, FRAME, np.eye(3))
    np.testing.assert_array_equal(np.abs(read_pose(tmp_path / "frame_00001_pose.txt")), 0)
    for text in ("1 0 0\n0 1 0", "a b c", "nan " * 9):
        (tmp_path / "bad_pose.txt").write_text(text)
        with pytest.raises(InputError, match=r"bad_pose\.txt: expected three rows"):
            read_pose(tmp_path / "bad_pose.txt")


def test_of_several_faces_the_one_nearest_two_thirds_is_chosen():
    near, far = (400, 300, 500, 400), (10, 10, 400, 400)  # ⅔ of 640×480 is (427, 320)
    assert accepted_box([far, near], None, FRAME.shape, BiwiConfig("", "", margin_ratio=0.0)) == near


def boxes_of(detections, protocol):
    """The boxes accepted for frames in which `detections` were found, margins left out."""
    config = BiwiConfig("", "", protocol=protocol, margin_ratio=0.0)
    boxes, last = [], None
    for found in detections:
        boxes.append(accepted_box(found, last, FRAME.shape, config))
        last = boxes[-1] or last
    return boxes


A, NEAR, FAR = (100, 100, 200, 200), (179, 100, 279, 200), (180, 100, 280, 200)


def test_protocol_1_drops_leaps_and_frames_without_a_face():
    assert boxes_of([[A], [NEAR]], 1) == [A, NEAR]  # 79 pixels are believed
    assert boxes_of([[A], [FAR], [NEAR], []], 1) == [
        A,
        None,
        NEAR,
        None,
    ]  # 80 are not; from the last accepted


def test_protocol_2_takes_the_last_box_instead():
    assert boxes_of([[], [A], [FAR], []], 2) == [None, A, A, A]


def test_margin_is_added_before_the_rules_apply():
    assert accepted_box([A], None, FRAME.shape, BiwiConfig("", "")) == (60, 60, 240, 240)


def test_crop_keeps_the_far_edge(hpdb):
    rows = VideoCropper(BiwiConfig("", "", margin_ratio=0.0, detector="file")).work(hpdb / "01")
    frame = cv2.imread(str(hpdb / "01/frame_00003_rgb.png"))
    np.testing.assert_array_equal(rows[0]["image"], cv2.resize(frame[60:191, 240:351], (64, 64)))
    assert [row["name"] for row in rows] == ["01/frame_00003", "01/frame_00004"]


def test_bad_frames_are_named(hpdb, tmp_path):
    video = tmp_path / "09"
    write_frame(video, 1, FRAME, np.eye(3))  # no box file
    write_frame(video, 2, FRAME, np.eye(3))
    (video / "frame_00002_rgb.png").write_bytes(b"rubbish")
    write_frame(video, 3, FRAME, np.eye(3))
    (video / "frame_00003_rgb.png").unlink()
    write_frame(video, 4, FRAME, np.eye(3))
    (video / "frame_00004_box.txt").write_text("10 10 90 90")
    (video / "frame_00004_pose.txt").unlink()
    write_frame(video, 5, FRAME, np.eye(3))
    (video / "frame_00005_box.txt").write_text("10 10 90 90")
    rows = VideoCropper(BiwiConfig("", "", detector="file")).work(video)
    assert [row["name"] for row in rows if "image" in row] == ["09/frame_00005"]
    reasons = {row["name"]: row["error"] for row in rows if "error" in row}
    assert len(reasons) == 4 and len(rows) == 5
    assert "expected left, top, right" in reasons["09/frame_00001_rgb.png"]
    assert "expected an image, could not decode it" in reasons["09/frame_00002_rgb.png"]
    assert "no such file (expected an image)" in reasons["09/frame_00003_rgb.png"]
    assert "frame_00004_pose.txt" in reasons["09/frame_00004_rgb.png"]


def test_a_frame_without_a_box_file_uses_the_last_box_in_protocol_2(hpdb, tmp_path):
    video = tmp_path / "09"
    for number in (1, 2):
        write_frame(video, number, FRAME, np.eye(3))
    (video / "frame_00001_box.txt").write_text("10 10 90 90")
    rows = VideoCropper(BiwiConfig("", "", protocol=2, detector="file")).work(video)
    assert [row["name"] for row in rows] == ["09/frame_00001", "09/frame_00002"]
    np.testing.assert_array_equal(rows[0]["image"], rows[1]["image"])


def test_split_is_two_thirds_seeded_and_disjoint():
    training, test = split_videos(24, seed=1)
    assert (len(training), len(test)) == (16, 8) and sorted(training + test) == list(range(24))
    assert split_videos(24, seed=1) == (training, test) != split_videos(24, seed=2)


def test_protocol_1_with_mtcnn_finds_the_astronaut(hpdb, tmp_path):
    result = run_fsanet(*COMMAND, f"--input_dir={hpdb}", f"--output={tmp_path / 'biwi.npz'}", "--workers=1")
    assert result.returncode == 0, result.stderr
    data = load_dataset(tmp_path / "biwi.npz")
    assert len(data) == 6 and data.crop == CropRule(0.4)
    np.testing.assert_allclose(data.poses, 0, atol=1e-6)
    np.testing.assert_allclose(rotation_matrices(data.poses[0]), np.eye(3), atol=1e-6)
    assert data.images[0].std() > 30  # a face, no black border


def test_protocol_2_writes_two_files(hpdb, tmp_path):
    arguments = (
        f"--input_dir={hpdb}",
        f"--output={tmp_path / 'biwi.npz'}",
        "--protocol=2",
        "--detector=file",
    )
    result = run_fsanet(*COMMAND, *arguments)
    assert result.returncode == 0, result.stderr
    training, test = (load_dataset(tmp_path / f"biwi_{part}.npz") for part in ("train", "test"))
    assert (len(training), len(test)) == (4, 2)
    assert not {name[:2] for name in training.names} & {name[:2] for name in test.names}
