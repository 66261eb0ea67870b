"""What a photo and a video is; names that OpenCV does not open; cameras that are never behind."""

import os
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.prediction import sources
from fsanet_tf.prediction.sources import Photos, Video, as_source, file_kind, find_photos, open_video
from tests.conftest import ROOT

GRAY = np.full((64, 96, 3), 128, np.uint8)


def write_video(path, count=6, rate=10.0):
    code = cv2.VideoWriter.fourcc(*("mp4v" if path.suffix == ".ts" else "MJPG"))
    writer = cv2.VideoWriter(str(path), code, rate, (96, 64))
    for number in range(count):
        writer.write(GRAY + number)
    writer.release()
    return path


@pytest.mark.parametrize(("name", "encoded", "kind"), [
    ("a.jfif", ".jpg", "photo"), ("a.jpe", ".jpg", "photo"), ("no_suffix", ".png", "photo"),
    ("photo.2024", ".webp", "photo"), ("a.webp", ".webp", "photo"), ("a.ts", "video", "video"),
    ("no_suffix", "video", "video"), ("code.ts", None, None), ("a.txt", None, None), ("empty", None, None),
    ("a.mjpg", ".jpg", "video"),
])  # fmt: skip
def test_one_notion_of_a_photo_and_a_video(name, encoded, kind, tmp_path):
    path = tmp_path / name
    if encoded == "video":
        write_video(tmp_path / f"v{path.suffix or '.avi'}").rename(path)
    else:
        path.write_bytes(cv2.imencode(encoded, GRAY)[1].tobytes() if encoded else b"text")
    assert file_kind(path) == kind
    assert find_photos(str(path)) == (Photos([path]) if kind == "photo" else None)


@pytest.mark.parametrize("name", ["a:b.avi", "caf\udce9.avi", "100%d.avi"])
def test_videos_of_any_name_are_read(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        write_video(tmp_path / "v.avi").rename(name)
    except OSError:
        pytest.skip("no such name on this file system")
    frames = list(open_video(name))
    assert len(frames) == 6 and [frame.time_s for frame in frames] == pytest.approx(np.arange(6) / 10)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_a_video(tmp_path):
    content = write_video(tmp_path / "v.avi").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(content), daemon=True)
    writer.start()
    assert find_photos(str(tmp_path / "pipe")) is None
    assert len(list(Video(str(tmp_path / "pipe")))) == 6
    writer.join(10)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_without_a_video_is_refused_and_not_opened_again(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b""), daemon=True).start()
    with pytest.raises(InputError, match="pipe: expected a camera or stream that responds"):
        Video(str(tmp_path / "pipe"))


@pytest.mark.parametrize(("given", "source"), [
    ("file:///a/b%20c.mp4", "/a/b c.mp4"), ("FILE:///a/caf%E9.mp4", "/a/caf\udce9.mp4"), ("0", "0"),
    ("HTTP://Host/Shot.jpg?x=1", "http://Host/Shot.jpg?x=1"), ("A%20b.mp4", "A%20b.mp4"),
])  # fmt: skip
def test_addresses_in_any_spelling(given, source):
    assert as_source(given) == source


@pytest.mark.parametrize("name", ["9999999999999", "²", "+0", " 0", "-1"])
def test_what_is_no_camera_number_is_a_file_name(name):
    with pytest.raises(InputError, match="no such photo, folder, video or camera"):
        open_video(name)


class Camera:
    """A camera of 100 frames a second whose frames are numbered by their brightness."""

    def __init__(self, address, backend):
        self.address, self.start, self.count = address, time.monotonic(), 0

    def read(self):
        self.count += 1
        delay = self.start + self.count / 100 - time.monotonic()
        time.sleep(max(delay, 0))
        return self.count < 60, np.full((4, 4, 3), self.count, np.uint8)

    def get(self, _):
        return 0.0

    def release(self):
        pass


@pytest.mark.parametrize("address", ["0", "http://127.0.0.1:9/video.jpg", "/dev/null"])
def test_a_slow_consumer_sees_the_newest_frame_of_a_camera(address, monkeypatch):
    monkeypatch.setattr(sources.cv2, "VideoCapture", Camera)
    assert find_photos(address) is None
    video = Video(address)
    assert video.is_live and video.length is None
    numbers = []
    for frame in video:
        numbers.append(int(frame.image[0, 0, 0]))
        time.sleep(0.1)
    assert len(numbers) < 12 and numbers[-1] >= 50 and "stopped" in video.missing


def test_waiting_for_a_camera_that_sends_nothing_can_be_stopped(monkeypatch):
    resumed = threading.Event()

    class Stalled(Camera):
        def read(self):
            self.count += 1
            return (self.count < 3 or not resumed.wait(60)), np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr(sources.cv2, "VideoCapture", Stalled)
    monkeypatch.setattr(sources, "STOP_PATIENCE_S", 0.0)
    video = Video("0")
    threading.Timer(0.5, video.stop).start()
    assert len(list(video)) in (1, 2) and not resumed.is_set() and video.missing == ""
    resumed.set()


def test_a_reader_that_is_left_early_ends(tmp_path):
    before = threading.active_count()
    for _ in Video(str(write_video(tmp_path / "v.avi", 60))):
        break
    for _ in range(100):
        if threading.active_count() <= before:
            return
        time.sleep(0.05)
    raise AssertionError("the reader still runs")


def test_absent_sources_are_named():
    with pytest.raises(InputError, match=r"absent\.mp4: no such photo, folder, video or camera"):
        open_video("absent.mp4")


@pytest.mark.parametrize("kept", [False, True])
def test_a_process_that_leaves_a_video_early_ends_well(kept, tmp_path):
    path = tmp_path / "long.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (640, 480))
    for number in range(200):
        writer.write(np.full((480, 640, 3), number, np.uint8))
    writer.release()
    iterator = "frames" if kept else "iter(open_video(sys.argv[1]))"
    code = (
        "import sys; from fsanet_tf.prediction.sources import open_video; "
        f"frames = iter(open_video(sys.argv[1])); next({iterator}); print('end')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (result.returncode, result.stdout) == (0, "end\n"), result.stderr
