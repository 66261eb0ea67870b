"""The demo as a newcomer runs it: photo, folder, video, and what cannot be shown."""

import contextlib
import csv
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import fsanet_tf
from fsanet_tf.commands.predict import Attached
from fsanet_tf.commands.signals import finish_on_signals, interruptions
from fsanet_tf.data.preprocessing.landmark_pairs import read_labels, visible_box
from fsanet_tf.detection.detection import Detection
from fsanet_tf.detection.detectors import DETECTORS, DetectorKind
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import LANDMARK_CROP, crop_face
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.network import load_network, predict_crops
from fsanet_tf.prediction.config import PredictionConfig
from fsanet_tf.prediction.predictor import PosePredictor
from fsanet_tf.prediction.sinks import TableSink, VideoSink
from tests.conftest import assert_one_clear_line, run_fsanet


def test_first_command_draws_the_astronaut(tmp_path):
    result = run_fsanet("predict", "--json=faces.jsonl", "--csv=faces.csv", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "astronaut: yaw" in result.stdout
    drawn = cv2.imread(str(tmp_path / "astronaut_poses.png"))
    astronaut = read_image("astronaut")
    changed = np.argwhere((drawn != astronaut).any(axis=-1))
    assert len(changed) > 200 and (changed[:, 0] < 230).all()  # around the face alone
    face = json.loads((tmp_path / "faces.jsonl").read_text())
    assert max(abs(face[name]) for name in ("yaw", "pitch", "roll")) < 20
    [row] = csv.DictReader((tmp_path / "faces.csv").open())
    assert float(row["yaw"]) == face["yaw"]


@pytest.fixture
def media(tmp_path):
    """A folder with a photo, an empty photo and a broken one; a video of the astronaut."""
    astronaut = read_image("astronaut")[:256, 96:352]
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


def assert_left_out(result, message):
    """The command did the rest, and its one error line says how much was left out."""
    errors = [line for line in result.stderr.splitlines() if line.startswith("error")]
    assert result.returncode == 1 and errors == [f"error: {message}"], result


def test_several_faces_are_numbered(media):
    face = cv2.imread(str(media / "photos/a.png"))
    cv2.imwrite(str(media / "two.png"), np.hstack([face, face]))
    result = run_fsanet("predict", "--source=two.png", "--detector=haar", cwd=media)
    assert "two.png, face 1: yaw" in result.stdout and "two.png, face 2: yaw" in result.stdout, result.stderr


def test_a_reader_that_has_enough_is_no_error(media):
    command = [sys.executable, "-m", "fsanet_tf", "predict", "--source=photos", "--detector=haar"]
    process = subprocess.Popen(command, cwd=media, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait() == 1 and "Broken pipe" not in errors and "Traceback" not in errors


def test_a_folder_is_done_and_what_cannot_be_done_is_named(media):
    photos = media / "photos"
    good = cv2.imread(str(photos / "a.png"))
    cv2.imwrite(str(photos / "narrow.png"), good[:20])
    cv2.imwrite(str(photos / f"{'x' * 246}.png"), good)
    for name in ("caf\udce9.png", "Ж.png", "suffix_less"):
        (photos / name).write_bytes((photos / "a.png").read_bytes())
    (photos / "locked.png").symlink_to(media / "nowhere")
    (media / "out/Ж.png").mkdir(parents=True)  # cannot be drawn there
    result = run_fsanet("predict", "photos", "--detector=haar", "--output=out", "--csv=t.csv", cwd=media)
    assert_left_out(result, "photos: not all could be done (2 left out)")
    assert "photos/a.png: yaw" in result.stdout and "photos/b.png: no face found" in result.stdout
    assert "left out: photos/c.png" in result.stdout and "left out: photos/Ж.png" in result.stdout
    names = {row["frame"] for row in csv.DictReader((media / "t.csv").open(encoding="utf-8"))}
    assert names == {"a.png", f"{'x' * 246}.png", r"caf\xe9.png", "Ж.png", "suffix_less"}
    drawn = {path.name for path in (media / "out").iterdir()}
    assert len(drawn) == 7 and "caf\udce9.png" in drawn and not list(media.rglob(".fsanet*"))


def test_a_detector_that_fails_ends_neither_folder_nor_video(media, monkeypatch):
    calls = []

    def make():
        def detect(frame):
            calls.append(frame)
            if len(calls) == 2:
                raise RuntimeError("out of\nluck")
            return [Detection((80.0, 50.0, 170.0, 140.0))]

        return detect

    monkeypatch.setattr(DETECTORS, "_entries", {**DETECTORS._entries, "moody": DetectorKind(make)})
    (media / "photos/c.png").unlink()
    result = run_fsanet("predict", "photos", "--detector=moody", "--csv=t.csv", cwd=media)
    assert_left_out(result, "photos: not all could be done (1 left out)")
    assert "left out: photos/b.png: RuntimeError: out of luck" in result.stdout
    calls.clear()
    result = run_fsanet("predict", "v.avi", "--detector=moody", "--every=1", "--csv=v.csv", cwd=media)
    assert "left out: frame 1: v.avi: RuntimeError: out of luck" in result.stdout, result
    assert len(list(csv.DictReader((media / "v.csv").open()))) == 7  # five of six faces, and two frames held


def test_tables_only(media):
    result = run_fsanet("predict", "v.avi", "--detector=haar", "--nodraw", "--json=v.jsonl", cwd=media)
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in media.iterdir()) == ["photos", "v.avi", "v.jsonl"]


def test_a_drawing_that_fails_keeps_the_table(media, monkeypatch):
    def fail(video):
        raise InputError(f"{video.path}: the encoder failed")

    monkeypatch.setattr(VideoSink, "_finish", fail)
    result = run_fsanet(
        "predict", "v.avi", "--detector=haar", "--output=v.mp4", "--csv=v.csv", "--every=4", cwd=media
    )
    assert_left_out(result, "v.avi: not all could be done (1 left out)")
    assert "left out: v.mp4: the encoder failed" in result.stdout and not (media / "v.mp4").exists()
    assert list(csv.DictReader((media / "v.csv").open()))


@pytest.mark.parametrize("option", ["--output=v.mp4", "--csv=v.mp4", "--time_sequence=v.mp4"])
def test_a_folder_is_refused_as_a_file_to_write_before_anything_is_done(option, media):
    (media / "v.mp4").mkdir()
    result = run_fsanet("predict", "v.avi", "--detector=haar", option, cwd=media)
    assert_one_clear_line(result, "v.mp4: expected a file to write, received a folder")


def test_a_photo_whose_drawing_fails_keeps_its_row(tmp_path):
    result = run_fsanet("predict", "--output=a.xyz", "--csv=a.csv", "--detector=haar", cwd=tmp_path)
    assert_one_clear_line(result, "a.xyz: cannot write an image of this format")
    assert [row["frame"] for row in csv.DictReader((tmp_path / "a.csv").open())] == ["astronaut"]


def test_the_options_are_checked_in_python_too():
    for options, message in (
        ({"every": 0}, "every: expected a whole number of at least 1, received 0"),
        ({"style": "sphere"}, "style: expected one of axes, cube, both, received sphere"),
        ({"margin_ratio": float("nan")}, "margin_ratio: expected a number of at least 0"),
        ({"output": "a.png", "draw": False}, "output: expected none without drawings"),
    ):
        with pytest.raises(fsanet_tf.InputError, match=message):
            PredictionConfig(**options)
    config = PredictionConfig(source=Path("v.mp4"), network="a.tflite", margin_ratio=np.float32(0.5))
    assert (config.source, config.network, config.margin_ratio) == ("v.mp4", ("a.tflite",), 0.5)


def test_video_holds_the_last_boxes_for_a_while(media):
    arguments = ("--source=v.avi", "--detector=haar", "--hold_frames=3", "--csv=v.csv", "--output=v.mp4")
    result = run_fsanet("predict", *arguments, cwd=media)
    assert result.returncode == 0, result.stderr
    frames = {row["frame"] for row in csv.DictReader((media / "v.csv").open())}
    assert frames == {f"{n:06d}" for n in range(8)}  # six seen, dropped in the third without a face
    capture = cv2.VideoCapture(str(media / "v.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 12


def test_tracks_smoothing_and_time_sequence(media):
    arguments = ("--source=v.avi", "--detector=haar", "--every=2", "--smooth", "--style=both", "--csv=v.csv")
    result = run_fsanet("predict", *arguments, "--time_sequence=t.png", "--output=v.mp4", cwd=media)
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader((media / "v.csv").open()))
    assert {row["track"] for row in rows} == {"1"} and len(rows) == 8
    assert [float(row["time_s"]) for row in rows[:3]] == [0, 0.1, 0.2]
    assert (cv2.imread(str(media / "t.png")) < 100).any()
    assert cv2.VideoCapture(str(media / "v.mp4")).get(cv2.CAP_PROP_FPS) == pytest.approx(10)


def test_a_truncated_video_is_done_as_far_as_it_goes(media):
    content = (media / "v.avi").read_bytes()
    (media / "cut.avi").write_bytes(content[: len(content) // 2])
    result = run_fsanet("predict", "--source=cut.avi", "--detector=haar", "--output=cut.mp4", cwd=media)
    assert_left_out(result, "cut.avi: not all could be done (1 left out)")
    assert "frames could be read" in result.stdout
    assert cv2.VideoCapture(str(media / "cut.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) >= 1


SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def start_long(media, count, *options):
    """Start predicting a video of so many frames, each with one face."""
    face = read_image("astronaut")[:256, 96:352]
    writer = cv2.VideoWriter(str(media / "long.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (256, 256))
    for _ in range(count):
        writer.write(face)
    writer.release()
    command = [sys.executable, "-m", "fsanet_tf", "predict", "long.avi", "--detector=haar", "--every=1"]

    def heed():  # also where the tests run under nohup
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    return subprocess.Popen(
        [*command, "--csv=long.csv", *options],
        cwd=media,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed,
    )


def frames_written(media):
    """Count the frames of the video that was drawn, which the table contains, each once."""
    frames = int(cv2.VideoCapture(str(media / "long_poses.mp4")).get(cv2.CAP_PROP_FRAME_COUNT))
    rows = [row["frame"] for row in csv.DictReader((media / "long.csv").open())]
    assert rows == [f"{number:06d}" for number in range(frames)]
    return frames


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_finishes_the_files(number, media):
    before = {*media.iterdir(), media / "long.avi"}
    process = start_long(media, 800)
    shown = ""
    while not re.search(r" [1-9]\d*/800 ", shown):  # the bar has begun to move
        shown += (character := process.stderr.read(1))
        assert character, shown
    process.send_signal(number)
    stdout, _ = process.communicate(timeout=300)
    assert process.returncode == 128 + number and "stopped; keeping what was drawn" in stdout
    assert 1 <= frames_written(media) < 800
    assert {path.name for path in set(media.iterdir()) - before} == {"long_poses.mp4", "long.csv"}


@pytest.mark.slow
def test_a_signal_at_any_moment_leaves_whole_files_or_none(media):
    moments = np.random.default_rng(0).uniform(0.2, 6.0, 10)
    before = {*media.iterdir(), media / "long.avi"}
    for number, moment in enumerate(moments):
        process = start_long(media, 200)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        process.send_signal(SIGNALS[number % 3])
        process.communicate(timeout=300)
        left = {path.name for path in set(media.iterdir()) - before}
        assert left in ({"long_poses.mp4", "long.csv"}, {"long.csv"}, set()), left
        if "long_poses.mp4" in left:
            frames_written(media)
        for name in left:
            (media / name).unlink()


def test_an_interrupted_output_does_not_take_the_others_with_it(tmp_path):
    class Interrupted(TableSink):
        def _finish(self):
            raise KeyboardInterrupt

    sinks = [TableSink(tmp_path / "a.csv"), Interrupted(tmp_path / "b.csv"), TableSink(tmp_path / "c.csv")]
    with pytest.raises(KeyboardInterrupt), Attached(sinks, []):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", "c.csv"}


def test_after_two_signals_the_first_is_delivered():
    def receive_two():
        with finish_on_signals():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGHUP)

    with interruptions() as received, pytest.raises(KeyboardInterrupt):
        receive_two()
    assert received == [signal.SIGTERM]  # whose number is in the exit status


def test_angles_are_those_of_evaluation(released, reference):
    photo = sorted((reference / "data/AFLW2000").rglob("*.jpg"))[0]
    weights = released / "fsanet_capsule_3_16_2_21_5.h5"
    points, pose = read_labels(photo.with_suffix(".mat"))
    crop = crop_face(cv2.imread(str(photo)), visible_box(points), LANDMARK_CROP)
    evaluated = predict_crops(load_network(weights), crop[None])["pose"][0]
    (face,) = PosePredictor(weights).predict(cv2.imread(str(photo)), [Detection(visible_box(points), 1.0)])
    np.testing.assert_allclose(face.pose_deg, evaluated, atol=1e-3)
    assert np.abs(evaluated - pose).max() < 30


BROKEN = {
    "absent.jpg": "no such photo",
    "absent.mp4": "no such photo, folder, video or camera",
    "absent": "no such photo, folder, video or camera",
    "no folder/x.png": "no such photo",
    "empty": "expected photos",
    "no_photos": "expected photos",
    "all_broken": "expected an image",
    "rubbish.jpg": "expected an image",
    "rubbish.png": "expected an image",
    "rubbish.mp4": "expected a photo or video",
    "rubbish.gif": "expected a photo or video",
    "rubbish.avi": "expected a photo or video",
    "rubbish": "expected a photo or video",
    "nothing.jpg": "expected an image",
    "nothing.mp4": "expected a photo or video",
    "cut.png": "expected an image",
    "cut.mkv": "expected a photo or video",
    "text.txt": "expected a photo or video",
    "99": "expected a camera or stream that responds",
    "http://127.0.0.1:9/shot.jpg": "expected a camera or stream that responds",
    "rtsp://127.0.0.1:9/none": "expected a camera or stream that responds",
    "http://127.0.0.1:9/none.mp4": "expected a camera or stream that responds",
}


@pytest.mark.parametrize("source", BROKEN)
def test_broken_source_is_one_clear_line(source, tmp_path):
    for folder in ("empty", "no_photos", "all_broken"):
        (tmp_path / folder).mkdir()
    picture = cv2.imencode(".png", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    (tmp_path / "cut.png").write_bytes(picture[:40])
    (tmp_path / "cut.mkv").write_bytes(bytes.fromhex("1a45dfa3a3428681"))
    for name in ("no_photos/a.txt", "all_broken/a.jpg", "text.txt", *BROKEN):
        if name.startswith(("rubbish", "no_", "all_", "text")) and "/x" not in name and "." in name:
            (tmp_path / name).write_bytes(b"rubbish" * 50)
    (tmp_path / "rubbish").write_bytes(b"rubbish")
    for name in ("nothing.jpg", "nothing.mp4"):
        (tmp_path / name).touch()
    before = sorted(tmp_path.rglob("*"))
    result = run_fsanet("predict", f"--source={source}", "--detector=haar", "--csv=faces.csv", cwd=tmp_path)
    assert_one_clear_line(result, source, BROKEN[source])
    assert sorted(tmp_path.rglob("*")) == before


def test_mistakes_are_one_clear_line(tmp_path):
    assert_one_clear_line(
        run_fsanet("predict", "--network=nothing", cwd=tmp_path), "nothing: no such network"
    )
    assert_one_clear_line(
        run_fsanet("predict", "--time_sequence=t.png", cwd=tmp_path), "--time_sequence: expected a video"
    )
    assert_one_clear_line(
        run_fsanet("predict", "--source=", cwd=tmp_path), "--source: expected a photo", "an empty text"
    )
    assert not list(tmp_path.iterdir())
