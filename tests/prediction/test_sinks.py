"""Videos and tables that are complete or not there, whatever the rate, the size and the name."""

import contextlib
import csv
import errno
import json

import cv2
import numpy as np
import pytest

from fsanet_tf.detection.face_pose import FacePose
from fsanet_tf.errors import InputError
from fsanet_tf.prediction.sinks import TableSink, TimeSequence, VideoSink
from fsanet_tf.prediction.sources import Frame

GRAY = np.full((60, 80, 3), 128, np.uint8)
FACE = FacePose((1.0, 2.0, 30.0, 40.0), 0.9, 10.0, 5.0, 0.0, track=1)


@pytest.mark.parametrize(("rate", "written"), [
    (25.0, 25.0), (29.97, 29.97), (66.667, 66.67), (90.009, 90.01), (211.222, 211.22), (1000.0, 1000.0),
    (0.1, 0.5),
])  # fmt: skip
def test_rates_that_mpeg4_cannot_represent_are_rounded(rate, written, tmp_path):
    with VideoSink(tmp_path / "v.mp4", rate) as video:
        for _ in range(5):
            video.write(GRAY)
    capture = cv2.VideoCapture(str(tmp_path / "v.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(written, rel=1e-4)
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 5


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (7, 9)])
def test_small_and_odd_images_are_written(size, suffix, tmp_path):
    with VideoSink(tmp_path / f"v{suffix}", 10) as video:
        video.write(np.full((*size, 3), 200, np.uint8))
    read, image = cv2.VideoCapture(str(tmp_path / f"v{suffix}")).read()
    assert read and image.shape[0] in (size[0], size[0] + 1) and abs(int(image.mean()) - 200) < 8


def test_a_name_that_is_not_utf8_is_written(tmp_path):
    path = tmp_path / "caf\udce9.mp4"
    try:
        path.touch()
    except OSError:
        pytest.skip("no such name on this file system")
    with VideoSink(path, 10) as video, TableSink(tmp_path / "t.csv") as table:
        video.write(GRAY)
        table.write(Frame("caf\udce9.jpg", 0.0, GRAY, [FACE]))
    assert path.stat().st_size > 200
    (row,) = csv.DictReader((tmp_path / "t.csv").open(encoding="utf-8"))
    assert row["frame"] == r"caf\xe9.jpg" and row["right"] == "30.0" and row["x_mm"] == ""


def test_ctrl_c_keeps_what_was_written_and_an_error_nothing(tmp_path):
    def write(error, name):
        video, table = VideoSink(tmp_path / f"{name}.mp4", 10), TableSink(tmp_path / f"{name}.jsonl")
        with contextlib.suppress(error), video, table:
            video.write(GRAY)
            table.write(Frame("Ж", 0.5, GRAY, [FACE, FACE]))
            raise error

    write(KeyboardInterrupt, "kept")
    write(RuntimeError, "gone")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.jsonl", "kept.mp4"]
    first, _ = (tmp_path / "kept.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(first)["frame"] == "Ж" and "Ж" in first


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(InputError, match=r"a\.xyz: cannot write such a video"):
        VideoSink(tmp_path / "a.xyz", 10)
    with pytest.raises(InputError, match="no image was written"), VideoSink(tmp_path / "a.mp4", 10):
        pass
    with (
        pytest.raises(InputError, match=r"OpenCV cannot encode images of 20000×2 at 10 frames/s"),
        VideoSink(tmp_path / "a.mp4", 10) as video,
    ):
        video.write(np.zeros((2, 20000, 3), np.uint8))
    assert not list(tmp_path.iterdir())
    for make in (TableSink, TimeSequence):
        with pytest.raises(InputError, match="expected a file to write, received a folder"):
            make(tmp_path)


def test_a_format_that_no_sink_has_is_said_before_anything_is_written(tmp_path):
    with pytest.raises(InputError, match="format: expected csv or json, received xml"):
        TableSink(tmp_path / "faces.xml", format="xml")
    with pytest.raises(InputError, match=r"angles\.xyz: cannot write such a plot \(expected .*\.png"):
        TimeSequence(tmp_path / "angles.xyz")


@pytest.mark.parametrize(
    "make", [lambda path: VideoSink(path / "a.mp4", 10), lambda path: TableSink(path / "a.csv"),
             lambda path: TimeSequence(path / "a.png")], ids=["video", "table", "plot"],
)  # fmt: skip
def test_a_sink_is_written_to_inside_of_its_block(make, tmp_path):
    item = GRAY if make(tmp_path).path.suffix == ".mp4" else Frame("0", 0.0, GRAY, [FACE])
    sink = make(tmp_path)
    with pytest.raises(InputError, match=r"a\..*: expected to be written to inside of its `with` block"):
        sink.write(item)
    with sink:
        sink.write(item)
    with pytest.raises(InputError, match=r"a\..*: expected to be written to inside of its `with` block"):
        sink.write(item)
    assert sink.path.exists()


def test_frames_without_faces_make_no_plot(tmp_path):
    with TimeSequence(tmp_path / "none.png") as plot:
        plot.write(Frame("0", 0.0, GRAY))
    with TimeSequence(tmp_path / "one.png") as plot:
        for number in range(3):
            plot.write(Frame(str(number), number / 10, GRAY, [FACE]))
    assert [path.name for path in tmp_path.iterdir()] == ["one.png"]


@pytest.mark.parametrize("rate", [0, -25, float("nan"), float("inf")])
def test_a_rate_that_is_not_positive_is_named(rate, tmp_path):
    with pytest.raises(InputError, match=r"rate: expected (frames per second above 0|a number), received"):
        VideoSink(tmp_path / "v.mp4", rate=rate)


class SmallDisk:
    """A file that takes a number of bytes until there is more space."""

    def __init__(self, file, space):
        self.file, self.space = file, space

    def write(self, content):
        if not self.space:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self.file.write(content[: self.space])
        self.space -= written
        return written

    def truncate(self, size):
        self.file.truncate(size)


def test_lines_wait_until_a_full_disk_has_space(tmp_path):
    with TableSink(tmp_path / "t.csv") as table:
        table._file = SmallDisk(table._file, 10)
        for number in range(3):
            table.write(Frame(f"{number:06d}", 0.0, GRAY, [FACE]))
        table._file.space = 1 << 20
    assert [row["frame"] for row in csv.DictReader((tmp_path / "t.csv").open())] == [
        "000000",
        "000001",
        "000002",
    ]


def test_lines_that_fit_on_a_full_disk_are_kept(tmp_path):
    table = TableSink(tmp_path / "t.csv")
    table.__enter__()
    table._file = SmallDisk(table._file, 90)  # a line and a half
    for number in range(3):
        table.write(Frame(f"{number:06d}", 0.0, GRAY, [FACE]))
    with pytest.raises(InputError, match=r"t.csv: 1 of 3 lines could be written: No space left"):
        table.__exit__(None, None, None)
    assert [row["frame"] for row in csv.DictReader((tmp_path / "t.csv").open())] == ["000000"]


def test_images_are_bgr_or_grayscale_bytes(tmp_path):
    with VideoSink(tmp_path / "v.mp4", 10) as video:
        video.write(GRAY[..., 0])
        for image in (GRAY / 255, GRAY[:0], None):
            with pytest.raises(InputError, match="image: expected a uint8 BGR image"):
                video.write(image)
    read, image = cv2.VideoCapture(str(tmp_path / "v.mp4")).read()
    assert read and abs(int(image.mean()) - 128) < 8
