"""300W-LP and AFLW2000: the original's crops, pixel for pixel, and what happens to bad sources."""

import dataclasses
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import scipy.io

from fsanet_tf.batch.folder import Folder
from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.data.preprocessing.crops import Plan, crop_row, preprocess, problem_row
from fsanet_tf.data.preprocessing.landmark_pairs import (
    LandmarkPairsConfig,
    find_faces,
    read_labels,
    visible_box,
)
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import LANDMARK_CROP
from tests.conftest import ROOT, assert_one_clear_line, run_fsanet, run_process

COMMAND = ("preprocess", "300w_lp")


def test_aflw2000_equals_the_originals_preprocessing(aflw2000, reference):
    data = load_dataset(aflw2000)
    golden = np.load(reference / "golden/aflw2000_outputs.npz")
    crops = np.load(reference / "golden/aflw2000_crops_first64.npz")
    assert data.images.shape == (2000, 64, 64, 3)
    assert data.names.tolist() == golden["name"].tolist()
    np.testing.assert_allclose(data.poses, golden["pose"], atol=1e-4)
    np.testing.assert_array_equal(data.images[:64], crops["image"])
    assert len(data.rows_within(99)) == 1969


def test_visible_box_follows_the_originals_rule():
    # y > 0 counts where fewer points pass it; whole pixels
    points = np.array([[10.9, 20.9, 30.0, -1.0], [5.5, -1.0, 50.5, -1.0]])
    assert visible_box(points) == (10, 5, 30, 50)
    assert visible_box(np.array([[10.0, -1.0], [5.0, 7.0]])) == (10, 5, 10, 5)
    with pytest.raises(InputError, match="no visible landmark"):
        visible_box(np.full((2, 21), -1.0))


def test_labels_are_yaw_pitch_roll_in_degrees(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"pt2d": np.ones((2, 21)), "Pose_Para": np.deg2rad([[10.0, 20, 30]])})
    np.testing.assert_allclose(read_labels(path)[1], [20, 10, 30])


@pytest.fixture
def folder(reference, tmp_path):
    """Six good pairs and one of each defect."""
    source, target = reference / "data/AFLW2000", tmp_path / "faces"
    target.mkdir()
    stems = sorted(path.stem for path in source.glob("*.jpg"))[:12]
    for stem in stems:
        shutil.copy(source / f"{stem}.jpg", target)
        shutil.copy(source / f"{stem}.mat", target)
    bad = dict(zip(("picture", "labels", "no_picture", "no_labels", "keys", "hidden"), stems[6:]))
    for path in target.iterdir():
        path.chmod(0o644)
    (target / f"{bad['picture']}.jpg").write_bytes(b"no picture")
    (target / f"{bad['labels']}.mat").write_bytes(b"no labels")
    (target / f"{bad['no_picture']}.jpg").unlink()
    (target / f"{bad['no_labels']}.mat").unlink()
    scipy.io.savemat(target / f"{bad['keys']}.mat", {"pt2d": np.ones((2, 21))})
    scipy.io.savemat(
        target / f"{bad['hidden']}.mat", {"pt2d": -np.ones((2, 21)), "Pose_Para": np.zeros((1, 7))}
    )
    return target, bad


def test_bad_sources_are_named_counted_and_not_fatal(folder, tmp_path):
    faces, bad = folder
    result = run_fsanet(*COMMAND, f"--input_dir={faces}", f"--output={tmp_path / 'out.npz'}", "--workers=1")
    assert result.returncode == 0, result.stderr
    for stem in bad.values():
        assert f"left out: {stem}: " in result.stdout
    assert "6 crops of 12 sources, 6 left out" in result.stdout
    assert len(load_dataset(tmp_path / "out.npz")) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces", "out.npz"]


def test_strict_stops_at_the_first(folder, tmp_path):
    faces, _ = folder
    result = run_fsanet(*COMMAND, f"--input_dir={faces}", f"--output={tmp_path / 'out.npz'}", "--strict")
    assert_one_clear_line(result, "error: image")
    assert not (tmp_path / "out.npz").exists()


def test_a_killed_run_goes_on(reference, tmp_path):
    arguments = [
        "-m",
        "fsanet_tf",
        *COMMAND,
        f"--input_dir={reference / 'data/AFLW2000'}",
        f"--output={tmp_path / 'out.npz'}",
    ]
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)
    parts = tmp_path / "out.npz.parts"
    deadline = time.time() + 300
    while len(list(parts.glob("part-*.npz"))) < 3 and time.time() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = list(parts.glob("part-*.npz"))
    assert kept and not (tmp_path / "out.npz").exists()
    result = run_process(*arguments)
    assert result.returncode == 0, result.stderr
    assert "2000 crops of 2000 sources" in result.stdout and not parts.exists()
    start = int(re.search(r"(\d+)/2000", result.stderr)[1])  # of the bar
    assert start >= 16 * len(kept)  # workers of the killed run may have ended a part more


class Crashing:
    """SciPy's reader is C, and some damaged files crash it; here a worker crashes itself."""

    def work(self, path):
        if path.stem.endswith("2"):
            os.abort()
        return [crop_row(path.stem, np.zeros((64, 64, 3), np.uint8), np.array([5.0, 9.5, 3.0]), 0.6)]

    def failure(self, path, reason):
        return problem_row(path.stem, reason)


def test_a_source_that_crashes_its_reader_is_left_out(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Config(LandmarkPairsConfig):
        def plan(self):
            paths = [tmp_path / f"image{number}.jpg" for number in range(4)]
            return Plan({tmp_path / "out.npz": paths}, Crashing, LANDMARK_CROP, "faces", lambda path: ())

    report = preprocess(Config(tmp_path, tmp_path / "out.npz", workers=2))
    assert [str(problem) for problem in report.problems] == [
        "image2: crashes the library that reads it, or memory ran out"
    ]
    assert load_dataset(tmp_path / "out.npz").names.tolist() == ["image0", "image1", "image3"]


def write_pairs(source, target, count=4, **changes):
    """Copy pairs of AFLW2000, with other labels."""
    target.mkdir()
    for labels in sorted(source.glob("*.mat"))[:count]:
        shutil.copy(labels.with_suffix(".jpg"), target)
        points, pose = read_labels(labels)
        yaw, pitch, roll = pose
        content = {"pt2d": points, "Pose_Para": np.array([[pitch, yaw, roll]]), **changes}
        scipy.io.savemat(target / labels.name, content)
    return target


def test_degrees_in_place_of_radians_are_refused(reference, tmp_path):
    faces = write_pairs(reference / "data/AFLW2000", tmp_path / "faces")
    with pytest.raises(InputError, match=r"faces: expected head poses in degrees.* converted as radians"):
        preprocess(LandmarkPairsConfig(faces, tmp_path / "out.npz", workers=1))
    assert not (tmp_path / "out.npz").exists()


def test_filtered_crops_say_so(folder, tmp_path):
    faces, _ = folder
    config = LandmarkPairsConfig(faces, tmp_path / "out.npz", 0.3, True, "filtered", workers=1)
    preprocess(config)
    data = load_dataset(tmp_path / "out.npz")
    assert (data.crop.margin_ratio, data.crop.square, data.crop.sampling) == (0.3, True, "filtered")


def test_names_that_are_not_utf_8_are_cropped(reference, tmp_path):
    faces = write_pairs(
        reference / "data/AFLW2000", tmp_path / "faces", 1, Pose_Para=np.array([[0.1, 0.2, 0.3]])
    )
    (image,), (labels,) = faces.glob("*.jpg"), faces.glob("*.mat")
    os.rename(image, os.fsencode(faces) + b"/caf\xe9.jpg")
    os.rename(labels, os.fsencode(faces) + b"/caf\xe9.mat")
    report = preprocess(LandmarkPairsConfig(faces, tmp_path / "out.npz", workers=1))
    assert not report.problems and load_dataset(tmp_path / "out.npz").names.tolist() == ["caf\\xe9"]


def test_outputs_of_any_legal_name_and_no_other(folder, tmp_path):
    faces, _ = folder
    long = tmp_path / ("x" * 246 + ".npz")
    assert preprocess(LandmarkPairsConfig(faces, long, workers=1)).outputs == (long,)
    (tmp_path / "real.npz").write_bytes(b"old")
    (tmp_path / "link.npz").symlink_to("real.npz")
    preprocess(LandmarkPairsConfig(faces, tmp_path / "link.npz", workers=1))
    assert (tmp_path / "link.npz").is_symlink() and len(load_dataset(tmp_path / "real.npz")) == 6
    for output, said in {"/dev/null": "a device or a pipe", "~/out.npz": "no shell has expanded"}.items():
        with pytest.raises(InputError, match=said):
            preprocess(LandmarkPairsConfig(faces, output, workers=1))


def test_a_changed_source_is_read_again(folder, tmp_path):
    """A run that was interrupted does not keep crops of files that have changed since."""
    faces, bad = folder
    config = LandmarkPairsConfig(faces, tmp_path / "out.npz", workers=1, strict=True)
    with pytest.raises(InputError):
        preprocess(config)
    kept = Folder(tmp_path / "out.npz.parts")
    assert any(name.startswith("part-") for name in kept.names())
    good = next(path for path in find_faces(faces) if path.stem not in bad.values())
    for name in bad.values():
        shutil.copy(good, faces / f"{name}.jpg")
        shutil.copy(good.with_suffix(".mat"), faces / f"{name}.mat")
    assert not preprocess(config).problems


def test_parts_of_other_settings_are_not_kept(folder, tmp_path):
    faces, _ = folder
    parts = tmp_path / "out.npz.parts"
    parts.mkdir()
    (parts / "run.json").write_text('"another run"')
    (parts / "part-000000.npz").write_bytes(b"rubbish")
    result = run_fsanet(*COMMAND, f"--input_dir={faces}", f"--output={tmp_path / 'out.npz'}")
    assert result.returncode == 0, result.stderr
    assert len(load_dataset(tmp_path / "out.npz")) == 6
