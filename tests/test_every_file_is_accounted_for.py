"""A folder with one of each kind of failure: done, left out and skipped are all its files."""

import csv
import os
import re
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from fsanet_tf.io.files import named_path, printable_name
from fsanet_tf.io.images import read_image
from tests.conftest import run_fsanet

GOOD = [
    "good.jpg", "caf\udce9.jpg", r"caf\xe9.jpg", "new\nline.jpg", "cr\rtab\t.jpg", "esc\x1b[31m.jpg",
    f"{'x' * 246}.jpg", "a.jfif", "b.jpe", "no_suffix", "UPPER.JPG", ".hidden.jpg", 'comma, "quote".jpg',
    "=cmd.jpg", " space.jpg", "-dash.jpg", "100%d.jpg", "Ж.jpg", "[1].jpg",
]  # fmt: skip
UNREADABLE = {
    "empty.jpg": b"", "text.jpg": b"hello world\n", "zeros.jpg": bytes(1000),
    "photo.heic": b"\0\0\0\x18ftypheic", "huge.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\x7f" * 17,
}  # fmt: skip
NEITHER = {"notes.txt": b"notes", "Thumbs.db": b"\xd0\xcf\x11\xe0"}
LOCKED = "locked.jpg"
LINKS = ("to_nothing.jpg", "loop.jpg")
HAAR = ("--network=1x1", "--detector=haar")


@pytest.fixture(params=[75, pytest.param(1000, marks=pytest.mark.slow)])
def folder(request, tmp_path, monkeypatch) -> Path:
    """A folder of so many files; most are tiny and without a face."""
    folder = tmp_path / "photos"
    (folder / "folder.jpg").mkdir(parents=True)
    face = np.ascontiguousarray(read_image("astronaut")[:256, 96:352])
    jpg, png = (cv2.imencode(suffix, face)[1].tobytes() for suffix in (".jpg", ".png"))
    contents = dict.fromkeys([*GOOD, LOCKED, "folder.jpg/inner.jpg"], jpg) | UNREADABLE | NEITHER
    contents |= {"cut.jpg": jpg[: len(jpg) // 2], "cut.png": png[: len(png) // 2], "png_named.jpg": png}
    odd = {"16_bit": face.astype(np.uint16) * 257, "gray": face[..., 0], "one": face[:1, :1]}
    odd |= {"narrow": cv2.resize(face, (800, 20)), "tall": cv2.resize(face, (20, 800))}
    contents |= {f"{name}.png": cv2.imencode(".png", image)[1].tobytes() for name, image in odd.items()}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    animation = cv2.Animation()
    animation.frames, animation.durations = [face, cv2.flip(face, 1)], np.array([100, 100], np.int32)
    assert cv2.imwriteanimation(str(folder / "moving.gif"), animation)
    (folder / "linked.jpg").symlink_to("good.jpg")
    (folder / "to_nothing.jpg").symlink_to("nowhere")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(folder / "pipe.jpg")
    tiny = cv2.imencode(".jpg", np.full((24, 24, 3), 90, np.uint8))[1].tobytes()
    for number in range(request.param - len(names_in(folder))):
        (folder / f"tiny{number:03d}.jpg").write_bytes(tiny)
    assert len(names_in(folder)) == request.param
    readable = Path.read_bytes

    def read_bytes(path: Path) -> bytes:  # root may read what others may not
        if path.name == LOCKED:
            raise PermissionError(13, "Permission denied", str(path))
        return readable(path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    return folder


def names_in(folder: Path) -> list[str]:
    return [
        os.path.relpath(os.path.join(place, name), folder)
        for place, _, names in os.walk(folder)
        for name in names
    ]


def counts(text: str) -> list[int]:
    """The numbers of a summary: done, left out, skipped for each reason."""
    return [int(number) for number in re.findall(r"(\d+) (?:photos |crops|failures|left out|skipped)", text)]


def test_predict(folder):
    result = run_fsanet("predict", "photos", *HAAR, "--recursive", "--csv=t.csv", cwd=folder.parent)
    lines = result.stdout.split("\n")
    (summary,) = (line for line in lines if line.startswith("photos: "))
    done, left_out, *skipped = counts(summary)
    assert done + left_out + sum(skipped) == len(names_in(folder))
    assert sum(skipped) == len(NEITHER) + len(LINKS) + 2  # the pipe and the animation
    assert left_out == len(UNREADABLE) + 2 + 1  # those cut, that without permission
    assert result.returncode == 1 and f"({left_out} left out)" in result.stderr
    assert sum(line.startswith("left out: photos/") for line in lines) == left_out
    assert len([line for line in lines if line.startswith("photos/")]) == done
    assert not re.search("[\x00-\x09\x0b-\x1f]", result.stdout)
    rows = list(csv.DictReader((folder.parent / "t.csv").open(encoding="utf-8", newline="")))
    found = {named_path(str(folder / row["frame"])) for row in rows}
    assert found >= {folder / name for name in GOOD} and len(found) == len(rows)
    drawn = names_in(folder.parent / "photos_poses")
    assert len(drawn) == done and not list(folder.parent.rglob(".fsanet*"))


def test_label(folder):
    result = run_fsanet("label", "photos", "--output=poses", *HAAR, "--workers=1", cwd=folder.parent)
    photos, failures, *skipped = counts(result.stdout)
    assert photos + sum(skipped) == len(names_in(folder))
    assert sum(skipped) == len(NEITHER) + len(LINKS) + 1  # the pipe
    rows = pq.read_table(folder.parent / "poses").to_pylist()
    assert len({row["source"] for row in rows}) == photos
    assert len([row for row in rows if row["error"]]) == failures == len(UNREADABLE) + 2 + 1
    found = {named_path(str(folder.parent / row["source"])) for row in rows if row["yaw"] is not None}
    assert found >= {folder / name for name in GOOD}
    assert result.returncode == 1 and f"{failures} photos and videos failed" in result.stderr


def test_preprocess(folder):
    names = names_in(folder)
    with (folder.parent / "faces.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "yaw", "pitch", "roll", "left", "top", "right", "bottom"])
        table.writerows([printable_name(name), 20, 10, 5, 2, 2, 20, 20] for name in names)
    files = ("--table=faces.csv", "--image_dir=photos", "--output=own.npz", "--workers=1")
    result = run_fsanet("preprocess", "table", *files, cwd=folder.parent)
    done, left_out = counts(result.stdout.split("\n")[-2])
    assert done + left_out == len(names) and result.returncode == 0, result
    assert result.stdout.count("left out: line ") == left_out
    with np.load(folder.parent / "own.npz") as data:
        assert len(data["name"]) == done
        assert set(data["name"]) >= {printable_name(name) for name in GOOD if name == name.strip()}
