"""The demo as a newcomer runs it: photo, folder, video, and what cannot be shown."""

import csv
import json
import os

import cv2
import numpy as np
import pytest
import skimage.data

from tests.conftest import ROOT, assert_one_clear_line, run_command

RUN = os.path.join(ROOT, "demo/run.py")


def test_first_command_draws_the_astronaut(tmp_path):
    result = run_command(RUN, "--json=faces.jsonl", "--csv=faces.csv", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "astronaut: yaw" in result.stdout
    drawn = cv2.imread(str(tmp_path / "astronaut_poses.png"))
    astronaut = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)
    changed = np.argwhere((drawn != astronaut).any(axis=-1))
    assert len(changed) > 200 and (changed[:, 0] < 230).all()  # around the face alone
    face = json.loads((tmp_path / "faces.jsonl").read_text())
    assert max(abs(face[name]) for name in ("yaw", "pitch", "roll")) < 20
    [row] = csv.DictReader((tmp_path / "faces.csv").open())
    assert float(row["yaw"]) == face["yaw"]


@pytest.fixture
def media(tmp_path):
    """A folder with a photo, an empty photo and a broken one; a video of the astronaut."""
    astronaut = cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)[:256, 96:352]
    (tmp_path / "photos").mkdir()
    cv2.imwrite(str(tmp_path / "photos/a.png"), astronaut)
    cv2.imwrite(str(tmp_path / "photos/b.png"), np.zeros((64, 64, 3), np.uint8))
    (tmp_path / "photos/c.png").write_bytes(b"rubbish")
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (256, 256))
    for _ in range(6):
        writer.write(astronaut)
    for _ in range(6):
        writer.write(np.zeros_like(astronaut))
    writer.release()
    return tmp_path


def test_folder_is_done_and_what_cannot_be_read_is_named(media):
    result = run_command(RUN, "--source=photos", "--detector=haar", "--output=out", cwd=media)
    assert result.returncode == 0, result.stderr
    assert "photos/a.png: yaw" in result.stdout and "photos/b.png: no face found" in result.stdout
    assert "left out: photos/c.png" in result.stdout
    assert sorted(path.name for path in (media / "out").iterdir()) == ["a.png", "b.png"]


def test_video_holds_the_last_boxes_for_a_while(media):
    arguments = ("--source=v.avi", "--detector=haar", "--hold_frames=3", "--csv=v.csv", "--output=v.mp4")
    result = run_command(RUN, *arguments, cwd=media)
    assert result.returncode == 0, result.stderr
    frames = {row["frame"] for row in csv.DictReader((media / "v.csv").open())}
    assert frames == {f"{n:06d}" for n in range(9)}  # six seen, three held
    capture = cv2.VideoCapture(str(media / "v.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 12


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("absent.jpg", "absent.jpg: no such photo"),
        ("absent.mp4", "absent.mp4: no such photo, folder, video or camera"),
        ("empty", "empty: expected photos"),
        ("broken.jpg", "broken.jpg: expected a photo, could not read it"),
        ("broken.mp4", "broken.mp4: expected a photo or video"),
        ("99", "99: expected a photo or video"),
    ],
)
def test_broken_source_is_one_clear_line(source, message, tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("broken.jpg", "broken.mp4"):
        (tmp_path / name).write_bytes(b"rubbish" * 50)
    silence = {"OPENCV_LOG_LEVEL": "SILENT", "OPENCV_FFMPEG_LOGLEVEL": "-8"}
    result = run_command(RUN, f"--source={source}", "--detector=haar", cwd=tmp_path, **silence)
    assert "Traceback" not in result.stderr and result.returncode == 1
    assert message in result.stderr.splitlines()[-1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.jpg", "broken.mp4", "empty"]


def test_mistakes_are_one_clear_line(tmp_path):
    assert_one_clear_line(run_command(RUN, "--model=nothing", cwd=tmp_path), "nothing: no such network")
