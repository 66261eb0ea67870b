"""Where predictions go: folders, odd files, full disks, closed streams; the source is never replaced."""

import csv
import resource
import subprocess
import sys

import cv2
import numpy as np
import pytest

from fsanet_tf.io.images import read_image
from fsanet_tf.prediction.sources import Animation, Video
from tests.conftest import assert_one_clear_line, run_fsanet

FSANET = [sys.executable, "-m", "fsanet_tf", "predict", "--detector=haar"]


@pytest.fixture
def face():
    return np.ascontiguousarray(read_image("astronaut")[:256, 96:352])


@pytest.fixture
def photos(face, tmp_path):
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.jpg", "deep/b.png", "deep/c.tiff"):
        cv2.imwrite(str(folder / name), face)
    return folder


def write_video(path, image, count=12):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, image.shape[1::-1])
    for _ in range(count):
        writer.write(image)
    writer.release()


@pytest.mark.parametrize("arguments", [
    ("photos", "--output=photos"),
    ("photos/a.jpg", "--output=photos/a.jpg"), ("photos/a.jpg", "--output=photos"),
    ("v.avi", "--output=v.avi"), ("photos/a.jpg", "--csv=photos/a.jpg"),
])  # fmt: skip
def test_an_output_never_replaces_its_source(arguments, photos, face):
    write_video(photos.parent / "v.avi", face)
    before = {path: path.read_bytes() for path in photos.parent.rglob("*") if path.is_file()}
    result = run_fsanet("predict", *arguments, "--detector=haar", cwd=photos.parent)
    assert_one_clear_line(result, "is the source, expected another output")
    assert {path: path.read_bytes() for path in photos.parent.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("arguments", [
    ("photos/a.jpg", "--csv=z.png", "--output=z.png"), ("v.avi", "--csv=t", "--json=./t"),
    ("photos", "--output=o", "--csv=o/a.jpg"),
])  # fmt: skip
def test_outputs_never_replace_each_other(arguments, photos, face):
    write_video(photos.parent / "v.avi", face)
    before = set(photos.parent.rglob("*"))
    result = run_fsanet("predict", *arguments, "--detector=haar", cwd=photos.parent)
    assert_one_clear_line(result, "is written twice, expected different outputs")
    assert set(photos.parent.rglob("*")) == before


def test_a_folder_of_one_photo_becomes_a_folder(photos):
    result = run_fsanet("predict", "photos", "--detector=haar", "--output=out", cwd=photos.parent)
    assert result.returncode == 0, result.stderr
    assert [path.name for path in (photos.parent / "out").iterdir()] == ["a.jpg"]
    again = run_fsanet("predict", "photos/deep/b.png", "--detector=haar", "--output=out", cwd=photos.parent)
    assert again.returncode == 0 and (photos.parent / "out/b.png").exists()


def test_subfolders_keep_their_structure(photos):
    result = run_fsanet(
        "predict", "photos", "--recursive", "--detector=haar", "--output=out", cwd=photos.parent
    )
    assert result.returncode == 0, result.stderr
    written = {str(path.relative_to(photos.parent / "out")) for path in (photos.parent / "out").rglob("*.*")}
    assert written == {"a.jpg", "deep/b.png", "deep/c.tiff.png"}


def test_an_animated_webp_is_a_video_with_its_own_times(face, tmp_path):
    animation = cv2.Animation()
    animation.frames = [face, cv2.flip(face, 1), face]
    animation.durations = np.array([0, 300, 100], np.int32)
    assert cv2.imwriteanimation(str(tmp_path / "a.webp"), animation)
    assert [frame.time_s for frame in Animation(tmp_path / "a.webp")] == pytest.approx([0, 0.1, 0.4])
    result = run_fsanet("predict", "a.webp", "--detector=haar", "--csv=a.csv", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert len(list(csv.DictReader((tmp_path / "a.csv").open()))) == 3


def test_times_of_a_video_are_the_streams_own(face, tmp_path):
    animation = cv2.Animation()
    animation.frames = [face, cv2.flip(face, 1), face, cv2.flip(face, 1)]
    animation.durations = np.array([100, 900, 100, 100], np.int32)
    assert cv2.imwriteanimation(str(tmp_path / "a.gif"), animation)
    times = [frame.time_s for frame in Video(str(tmp_path / "a.gif"))]
    assert times == pytest.approx([0, 0.1, 1.0, 1.1], abs=0.02)


def limited(size):
    """A disk that is full after `size` bytes of a file."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("arguments", [
    ("photos/a.jpg", "--output=out.png"), ("v.avi", "--output=out.mp4"),
])  # fmt: skip
def test_a_full_disk_is_one_line_and_leaves_nothing(arguments, photos, face):
    write_video(photos.parent / "v.avi", face, count=60)
    result = subprocess.run(
        [*FSANET, *arguments],
        cwd=photos.parent,
        capture_output=True,
        text=True,
        preexec_fn=limited(3000),
        check=False,
    )
    errors = [line for line in result.stderr.splitlines() if line.startswith("error")]
    assert result.returncode == 1 and len(errors) == 1 and "Traceback" not in result.stderr, result.stderr
    assert not list(photos.parent.glob("out*")) and not list(photos.parent.glob(".out*"))


def test_a_table_keeps_the_lines_that_fit_on_a_full_disk(photos, face):
    write_video(photos.parent / "v.avi", face, count=60)
    command = [*FSANET, "v.avi", "--output=out.mp4", "--csv=out.csv"]
    options = {"capture_output": True, "text": True, "preexec_fn": limited(3000), "check": False}
    result = subprocess.run(command, cwd=photos.parent, **options)
    rows = list(csv.DictReader((photos.parent / "out.csv").open()))
    assert result.returncode == 1 and 5 < len(rows) < 60 and all(row["face_score"] for row in rows)
    assert f"out.csv: {len(rows)} of" in result.stdout and "drawn:" not in result.stdout


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "1>&- 2>&-"])
def test_closed_streams_are_no_error(closed, photos):
    command = " ".join([*FSANET, "photos", "--recursive", "--output=out", closed])
    result = subprocess.run(
        command, shell=True, cwd=photos.parent, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0 and "Traceback" not in result.stderr, result.stderr
    assert (photos.parent / "out/a.jpg").exists()


def test_standard_output_on_a_full_disk_is_one_line(photos):
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [*FSANET, "photos/a.jpg", "--csv=t.csv"],
            cwd=photos.parent,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.returncode == 1 and result.stderr.count("\n") <= 1 and "Traceback" not in result.stderr
    assert [row["frame"] for row in csv.DictReader((photos.parent / "t.csv").open())] == ["a.jpg"]
