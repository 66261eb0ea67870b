"""`fsanet label`: each photo exactly once, through bad files, kills and engines."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fsanet_tf.batch.config import LabelConfig
from fsanet_tf.batch.folder import open_folder
from fsanet_tf.batch.items import Item, Items
from fsanet_tf.batch.label import label, read_labels
from fsanet_tf.batch.labeler import Labeler
from fsanet_tf.batch.parts import Job, Part, make_parts, rows_of
from fsanet_tf.batch.ray_engine import label_dataset
from fsanet_tf.batch.table import SCHEMA, Table, as_table, encode
from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.pretrained import network_sha256
from tests.conftest import ROOT, assert_one_clear_line, run_fsanet, run_process

HAAR = {"network": "1x1", "detector": "haar"}
LABELER = LabelConfig(**HAAR)
NUM_PHOTOS = 60
BROKEN = {
    "empty.jpg": b"",
    "text.jpg": b"no image",
    "header.jpg": b"\xff\xd8\xff\xe0",
    "page.jpg": b"<html></html>",
    "empty.png": b"",
    "paper.png": b"%PDF-1.4",
    "huge.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\x7f" * 17,
    "cut.mp4": b"\0\0\0\x18ftypmp42",
    "cut.mkv": b"\x1aE\xdf\xa3",
    "photo.heic": b"\0\0\0\x18ftypheic" + b"\0" * 20,
    "gray.webp": b"RIFF\0\0\0\0WEBP",
    "zero.gif": b"GIF89a",
    "bad.bmp": b"BM" + b"\xff" * 60,
    "bad.tiff": b"II*\0\xff\xff",
}
NUM_BROKEN = len(BROKEN) + 2  # and two photos that are cut or overwritten
NUM_ODD = 4


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Photos with one face, with none, and files that cannot be read, in two folders."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    face = read_image("astronaut")[:256, 96:352]
    for number in range(NUM_PHOTOS):
        image = np.roll(face, number, axis=1) if number % 5 else np.full_like(face, number)
        cv2.imwrite(str(folder / ("more" if number % 2 else "") / f"{number:03d}.png"), image)
    good = (folder / "002.png").read_bytes()
    for name, content in {**BROKEN, "cut.png": good[:900], "damaged.png": good[:60] + b"\0" * 400}.items():
        (folder / name).write_bytes(content)
    odd = {"16 bit.png": face.astype(np.uint16) * 257, "gray.png": face[..., 0], "one.png": face[:1, :1]}
    odd["Grüße.png"] = np.dstack([face, face[..., 0]])  # with an alpha channel
    for name, image in odd.items():
        (folder / name).write_bytes(cv2.imencode(".png", image)[1].tobytes())
    assert len(odd) == NUM_ODD and NUM_ODD + NUM_BROKEN == 20
    (folder / "notes.txt").write_text("not labeled")
    return folder


@pytest.fixture(scope="module")
def expected(photos) -> pa.Table:
    """What one process labels, one photo after the other."""
    return as_table(rows_in(photos))


def rows_in(*sources: Path | str, **options) -> list[dict]:
    """The rows of everything in sources, made in this process."""
    labeler = Labeler(LabelConfig(**{**HAAR, **options}))
    return [row for item in Items(list(map(str, sources))).items for row in rows_of(labeler, item)]


def command(source: Path, output: Path, *options: str) -> list[str]:
    arguments = [f"--source={source}", f"--output={output}", "--network=1x1", "--detector=haar", *options]
    return [sys.executable, "-m", "fsanet_tf", "label", *arguments]


def test_rows_are_faces_photos_without_faces_and_failures(photos, expected):
    rows = expected.to_pylist()
    assert {Path(row["source"]).name for row in rows} == {
        path.name for path in photos.rglob("*") if path.is_file() and path.suffix != ".txt"
    }
    failed = {Path(row["source"]).name: row["error"] for row in rows if row["error"]}
    assert len(failed) == NUM_BROKEN and all(
        "\n" not in reason and name in reason for name, reason in failed.items()
    )
    assert "HEIC" in failed["photo.heic"]
    blank = [row for row in rows if not row["error"] and row["yaw"] is None]
    assert len(blank) >= NUM_PHOTOS // 5 and all(row["face"] is None for row in blank)
    faces = [row for row in rows if row["yaw"] is not None]
    assert len(faces) > NUM_PHOTOS / 2
    for row in faces:
        assert row["left"] < row["right"] and row["top"] < row["bottom"] and row["source_bytes"] > 0
        assert (row["network"], row["detector"]) == ("1x1", "haar") and row["uncertainty_deg"] > 0


def test_pool_writes_the_same_table_and_resumes_nothing_twice(photos, expected, tmp_path):
    config = LabelConfig(str(photos), str(tmp_path / "poses.parquet"), **HAAR, workers=2)
    report = label(config)
    assert report.table().equals(expected)
    assert report.photos == NUM_PHOTOS + NUM_BROKEN + NUM_ODD
    assert report.failures == NUM_BROKEN and report.faces == expected["yaw"].drop_null().length()
    assert report.skipped == {str(photos / "notes.txt"): "neither a photo nor a video"}
    assert pq.read_table(config.output).schema.remove_metadata() == SCHEMA  # as any reader would
    before = {path: path.stat().st_mtime_ns for path in Path(config.output).iterdir()}
    assert label(config).table().equals(expected)
    assert before == {path: path.stat().st_mtime_ns for path in Path(config.output).iterdir()}


def test_another_job_and_other_files_are_refused(photos, tmp_path):
    output = tmp_path / "poses.parquet"
    arguments = ("label", f"--source={photos / '002.png'}", f"--output={output}", "--detector=haar")
    assert run_fsanet(*arguments).returncode == 0
    assert_one_clear_line(run_fsanet(*arguments, "--mirror"), "mirror was False, received True")
    other = (*arguments[:1], f"--source={photos / '004.png'}", *arguments[2:])
    assert_one_clear_line(run_fsanet(*other), "contains another job, the labels of other photos")
    assert_one_clear_line(
        run_fsanet("label", f"--source={photos / '002.png'}", f"--output={photos}", "--detector=haar"),
        "contains other files",
    )


def test_mistakes_are_one_clear_line(photos, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "no_path.csv").write_text("a,b\n1,2\n")
    (tmp_path / "semicolons.csv").write_text("path;yaw\na.jpg;1\n")
    (tmp_path / "utf16.txt").write_bytes("a.jpg".encode("utf-16-le"))
    (tmp_path / "binary.txt").write_bytes(b"\xff\xd8\x01\n\xe0")
    (tmp_path / "quote.csv").write_text('path\n"a.jpg\n')
    (tmp_path / "long.csv").write_text("path\n" + "x" * 200_000)
    (tmp_path / "twice.csv").write_text("path,Path\na.jpg,b.jpg\n")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    for source, said in {
        tmp_path / "absent": "no such source",
        tmp_path / "empty": "found none",
        tmp_path / "no_path.csv": "expected a column path",
        tmp_path / "semicolons.csv": "found path;yaw; separated by semicolons, expected commas",
        tmp_path / "utf16.txt": "expected a text file in UTF-8, or in UTF-16 with a byte order mark",
        tmp_path / "binary.txt": "received binary data",
        tmp_path / "quote.csv": "expected a CSV, could not read it",
        tmp_path / "long.csv": "expected a CSV, could not read it",
        tmp_path / "twice.csv": "the column path occurs twice",
        "http://localhost/photo.jpg": "expected an address of a file system",
        tmp_path / "bad.parquet": "could not read it",
        "nosuch://bucket/*.jpg": "expected an address of a file system",
        tmp_path / "*.jpg": "found none",
    }.items():
        result = run_fsanet("label", f"--source={source}", f"--output={tmp_path / 'out'}", "--detector=haar")
        assert_one_clear_line(result, said)
    result = run_fsanet(
        "label", f"--source={photos}", f"--output={tmp_path / 'out'}", "--detector=haar", "--network=absent"
    )
    assert_one_clear_line(result, "no such network")
    assert not (tmp_path / "out").exists()


def test_every_kind_of_source(photos, tmp_path):
    names = [str(photos / f"{number:03d}.png") for number in (2, 4, 6)]
    (tmp_path / "list.txt").write_text("\n".join(names) + "\n\n")
    (tmp_path / "windows.txt").write_bytes(("\r\n".join(names)).encode("utf-8-sig"))
    (tmp_path / "wide.txt").write_text("\n".join(names), encoding="utf-16")
    (tmp_path / "table.csv").write_text("file,other\n" + "".join(f"{name},1\n" for name in names))
    pq.write_table(pa.table({"path": names}), tmp_path / "paths.parquet")
    contents = [Path(name).read_bytes() for name in names]
    pq.write_table(pa.table({"path": names, "bytes": contents}), tmp_path / "bytes.parquet", row_group_size=2)
    expected = rows_in(*names)
    assert [row["source"] for row in expected] == names and all(row["yaw"] for row in expected)
    for name in ("list.txt", "windows.txt", "wide.txt", "table.csv", "paths.parquet"):
        assert rows_in(tmp_path / name) == expected, name
    state = {"source_bytes": None, "source_modified": None}  # those of the table
    assert [{**row, **state} for row in rows_in(tmp_path / "bytes.parquet")] == [
        {**row, **state} for row in expected
    ]
    for pattern in (f"{photos}/00[246].png", f"{photos}/**/00[246].png"):
        assert rows_in(pattern) == expected, pattern
    assert rows_in(*names, tmp_path / "list.txt") == expected  # nothing new is no mistake
    uri = rows_in(f"file://{photos}/00[246].png")
    assert [{**row, "source": row["source"].removeprefix("file://")} for row in uri] == expected
    assert len(Items(f"{photos}/**/*.png").items) == NUM_PHOTOS + 5 + NUM_ODD


def test_parts_of_a_job_are_always_the_same():
    items = [Item(f"{i}.jpg", f"{i}.jpg") for i in range(300)] + [Item("v.mp4", "v.mp4", is_video=True)]

    def parts_of(items):
        return make_parts(items, stands_alone=lambda item: item.is_video)

    parts = parts_of(items)
    assert [item for part in parts for item in part.items] == items and parts_of(items) == parts
    assert parts[-1].items == (items[-1],) and max(len(part.items) for part in parts) == 3
    assert max(len(part.items) for part in parts_of(items[:1] * 300_000)) == 1000


def test_a_videos_rows_are_its_frames_with_number_and_time(reference):
    clip = reference / "media/head-pose-face-detection-male.gif"
    rows = rows_in(clip)
    assert len([row for row in rows if row["yaw"] is not None]) > 50
    frames = {row["frame"]: row["time_s"] for row in rows}
    assert list(frames) == list(range(len(frames))) and all(np.diff(list(frames.values())) > 0)
    times = sorted({row["time_s"] for row in rows_in(clip, every_s=0.5)})
    assert np.diff(times).min() >= 0.45 and len(times) < len(frames) / 5


def test_table_is_training_data(photos, tmp_path):
    label(LabelConfig(str(photos), str(tmp_path / "poses.parquet"), **HAAR, workers=1))
    table = f"--table={tmp_path / 'poses.parquet'}"
    result = run_fsanet("preprocess", "table", table, f"--output={tmp_path / 'own.npz'}")
    assert result.returncode == 0 and ", 0 left out" in result.stdout, result.stderr
    assert load_dataset(tmp_path / "own.npz").labeled_by == "1x1"


def test_a_killed_worker_loses_and_repeats_nothing(photos, expected, tmp_path):
    output = tmp_path / "poses.parquet"
    with subprocess.Popen(command(photos, output, "--workers=2"), cwd=ROOT, stderr=subprocess.DEVNULL) as run:
        wait_for_parts(output, 3, run)
        workers = psutil.Process(run.pid).children(recursive=True)
        busy = [p for p in workers if "spawn_main" in " ".join(p.cmdline())]
        assert busy
        busy[0].send_signal(signal.SIGKILL)
        assert run.wait(120) == 1  # some photos cannot be labeled
    assert read_labels(str(output)).equals(expected)


AT_OTHER_MOMENTS = [pytest.param(parts, marks=pytest.mark.slow) for parts in (0, 8, 16, 30)]


@pytest.mark.parametrize("parts", [1, *AT_OTHER_MOMENTS])
def test_a_killed_driver_is_resumed_and_leaves_no_worker(parts, photos, expected, tmp_path):
    output = tmp_path / "poses.parquet"
    for end in (signal.SIGKILL, signal.SIGTERM):
        with subprocess.Popen(command(photos, output), cwd=ROOT, stderr=subprocess.DEVNULL) as run:
            wait_for_parts(output, parts + len(list(output.glob("part-*"))), run)
            children = psutil.Process(run.pid).children(recursive=True) if run.poll() is None else []
            run.send_signal(end)
            run.wait(60)
        _, alive = psutil.wait_procs(children, 30)
        assert not alive
    assert subprocess.run(command(photos, output), cwd=ROOT, check=False).returncode == 1
    assert read_labels(str(output)).equals(expected)
    assert {path.name for path in output.iterdir() if not path.match("part-*")} == {"_job.json", "_lock"}


def wait_for_parts(output: Path, count: int, run: subprocess.Popen) -> None:
    """Wait until more than `count` tasks are finished, or the run has ended."""
    end = time.monotonic() + 120.0
    while len(list(output.glob("part-*"))) <= count and run.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


class Crashing:
    """Stands for a library that crashes on a damaged file."""

    def work(self, item):
        if item.name.endswith("004.png"):
            os.kill(os.getpid(), signal.SIGKILL)
        return [{"source": item.name}]

    def failure(self, item, reason):
        return {"source": item.name, "error": reason}


def test_a_photo_that_kills_its_reader_becomes_a_failure(photos, tmp_path):
    items = Items([str(photos / f"{number:03d}.png") for number in (2, 4, 6)]).items
    job = Job(open_folder(str(tmp_path / "poses.parquet")), Crashing, encode, ".parquet")
    job.folder.write("_tries-000000.parquet", b"2")  # twice begun, never finished
    job.run(Part(0, tuple(items)), Crashing())
    rows = Table(job).read().to_pylist()
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert "crashes the library" in rows[1]["error"]
    assert job.folder.names() == ["part-000000.parquet"]


def test_a_part_may_finish_twice(tmp_path):
    job = Job(open_folder(str(tmp_path)), Crashing, encode, ".parquet")
    part = Part(0, (Item("a.jpg", "a.jpg"),))

    class Late(Crashing):
        def work(self, item):
            job.run(part, Crashing())  # another machine finishes it first
            return super().work(item)

    assert job.run(part, Late()) == 0
    assert Table(job).read()["source"].to_pylist() == ["a.jpg"] and job.finished() == [0]


SCRIPT = """
import sys
import fsanet_tf
print("main")
config = fsanet_tf.LabelConfig(sys.argv[1], sys.argv[2], network="1x1", detector="haar", workers=2)
print(fsanet_tf.label(config).photos)
"""


def test_a_script_needs_no_main_guard(photos, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    result = run_process(
        str(tmp_path / "script.py"), str(photos / "more"), str(tmp_path / "out"), PYTHONPATH=str(ROOT)
    )
    assert (result.returncode, result.stdout) == (0, f"main\n{NUM_PHOTOS // 2}\n"), result.stderr


def test_with_one_worker_everything_runs_in_the_calling_process(few, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(
        "fsanet_tf.batch.labeler.read_image", lambda path: read.append(path) or read_image(path)
    )
    label(LabelConfig(str(few), str(tmp_path / "out"), **HAAR, workers=1))
    assert len(read) == 3


@pytest.fixture
def few(photos, tmp_path) -> Path:
    """Three photos with a face, in a folder of its own."""
    (tmp_path / "few").mkdir()
    for number in (2, 4, 6):
        shutil.copy(photos / f"{number:03d}.png", tmp_path / "few")
    return tmp_path / "few"


def test_damaged_files_of_a_table_are_made_again_and_a_damaged_job_is_refused(few, photos, tmp_path):
    config = LabelConfig(str(few), str(tmp_path / "out"), **HAAR, workers=1)
    label(config)
    shutil.copy(photos / "008.png", few)
    rows = sorted(label(config).table().to_pylist(), key=lambda row: row["source"])
    first, second, third, added = sorted((tmp_path / "out").glob("part-*"))
    damages = (
        lambda: first.write_bytes(first.read_bytes()[:100]),
        lambda: (second.write_bytes(b""), added.unlink()),
        lambda: pq.write_table(pa.table({"a": [1]}), third),
        lambda: (tmp_path / "out/part-1 (copy).parquet").write_bytes(b"copy"),
    )
    for damage in damages:
        damage()
        with warnings.catch_warnings(record=True):
            again = label(config).table().to_pylist()
        assert sorted(again, key=lambda row: row["source"]) == rows
    for content in (b"", b'{"images"', b"[]", b"{}"):
        (tmp_path / "out/_job.json").write_bytes(content)
        with pytest.raises(InputError, match=r"out/_job\.json: expected the description of a job"):
            label(config)


def test_a_part_does_not_overwrite_another_one_of_its_number(tmp_path):
    """In an extended job, the items of a part may be done in parts of other numbers."""
    items = [Item(f"{number:03d}.jpg", "") for number in range(256)]  # two in a part
    job = Job(open_folder(str(tmp_path)), Crashing, encode, ".parquet")
    table = Table(job)
    for count in (255, 256):
        for part in table.plan(items[:count], LABELER)[0]:
            job.run(part, Crashing())
    job.folder.delete(job.name(127))  # contains 254.jpg, next to which 255.jpg was added
    for part in table.plan(items, LABELER)[0]:
        job.run(part, Crashing())
    assert sorted(table.read()["source"].to_pylist()) == [item.name for item in items]


def test_another_saved_model_of_the_same_name_has_another_hash(tmp_path):
    (tmp_path / "variables").mkdir()
    hashes = []
    for content in (b"1", b"2", b"2"):
        (tmp_path / "variables/data").write_bytes(content)
        hashes.append(network_sha256(tmp_path))
    assert hashes[0] != hashes[1] == hashes[2]


def test_changed_added_removed_and_repaired_photos(few, photos, tmp_path):
    (few / "004.png").write_bytes(b"no image")
    config = LabelConfig(str(few), str(tmp_path / "out"), **HAAR, workers=1)

    def poses(report):
        rows = report.table().to_pylist()
        assert len(rows) == len({row["source"] for row in rows}) == report.photos
        return {Path(row["source"]).name: row["yaw"] for row in rows}

    first = label(config)
    before = poses(first)
    assert before["004.png"] is None and first.failures == 1
    assert poses(label(config)) == before  # nothing changed: nothing is tried again
    shutil.copy(photos / "more/011.png", few / "002.png")
    shutil.copy(photos / "012.png", few / "new.png")
    (few / "006.png").unlink()
    second = label(config)
    after = poses(second)
    assert (second.photos, second.removed, second.failures) == (4, 1, 1)
    assert after["002.png"] != before["002.png"] and after["006.png"] == before["006.png"]
    assert after["new.png"] is not None and after["004.png"] is None
    shutil.copy2(photos / "004.png", few / "004.png")  # with the time of the original: another time and size
    assert poses(label(config))["004.png"] is not None


def test_failures_are_tried_again_when_asked(few, tmp_path, monkeypatch):
    config = LabelConfig(str(few), str(tmp_path / "out"), **HAAR, workers=1)
    with monkeypatch.context() as patch:
        patch.setattr("fsanet_tf.batch.labeler.read_image", lambda path: 1 / 0)
        report = label(config)
    assert report.failures == 3
    assert set(report.table()["error"].to_pylist()) == {"ZeroDivisionError: division by zero"}
    assert label(config).failures == 3
    repaired = label(dataclasses.replace(config, retry_failed=True))
    assert (repaired.photos, repaired.failures, repaired.faces) == (3, 0, 3)


def test_a_second_job_at_work_in_one_output_is_refused(few, tmp_path):
    config = LabelConfig(str(few), str(tmp_path / "out"), **HAAR, workers=1)
    job = Job(open_folder(config.output), Crashing, encode, ".parquet")
    with job.folder.lock(), pytest.raises(InputError, match="another run is at work there"):
        label(config)
    assert label(config).photos == 3


def test_names_that_are_not_utf_8_are_labeled_and_found_again(few, tmp_path):
    odd = os.fsencode(few) + b"/caf\xe9.png"
    os.rename(few / "002.png", odd)
    (tmp_path / "latin1.txt").write_bytes(odd + b"\n" + os.fsencode(few / "004.png"))
    report = label(LabelConfig(str(few), str(tmp_path / "out"), **HAAR, workers=1))
    (row,) = (row for row in report.table().to_pylist() if "caf" in row["source"])
    assert row["source"] == f"{few}/caf\\xe9.png" and row["yaw"] is not None
    assert [item.name for item in Items(str(tmp_path / "latin1.txt")).items] == [
        row["source"],
        f"{few}/004.png",
    ]
    table = ("preprocess", "table", f"--table={tmp_path / 'out'}", f"--output={tmp_path / 'own.npz'}")
    assert run_fsanet(*table).returncode  # a folder is no CSV
    shutil.move(tmp_path / "out", tmp_path / "out.parquet")
    result = run_fsanet("preprocess", "table", f"--table={tmp_path / 'out.parquet'}", table[-1])
    assert result.returncode == 0 and "3 crops of 3" in result.stdout, result.stderr


def test_lists_of_odd_lines_are_read(few, tmp_path):
    (tmp_path / "list.txt").write_bytes(f"{few}/002.png\r{few}/004.png \r{'x' * 300}\r".encode())
    *_, long = rows = rows_in(tmp_path / "list.txt")
    assert len(rows) == 3 and "no such file" in long["error"]
    (tmp_path / "table.csv").write_text(f"\nNumber,Path\n1, {few}/002.png \n2,{few}/004.png,\n")
    assert [row["source"] for row in rows_in(tmp_path / "table.csv")] == [f"{few}/002.png", f"{few}/004.png"]


def test_a_list_in_latin_1_is_read(few, tmp_path):
    (few / "002.png").rename(few / "café.png")
    (tmp_path / "list.txt").write_bytes(f"{few}/café.png\n".encode("latin-1"))
    assert rows_in(tmp_path / "list.txt")[0]["yaw"] is not None


def test_every_photo_is_done_or_counted(few, tmp_path):
    jpeg = cv2.imencode(".jpg", read_image(few / "002.png"))[1].tobytes()
    for name in ("a.jfif", "b.jpe", "no_suffix"):
        (few / name).write_bytes(jpeg)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/linked.jpg").write_bytes(jpeg)
    (few / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (few / "elsewhere_again").symlink_to(few, target_is_directory=True)
    (few / "broken.jpg").symlink_to("nowhere")
    (few / "readme.md").write_text("text")
    found = Items(str(few))
    assert {Path(item.path).name for item in found.items} == {
        "002.png", "004.png", "006.png", "a.jfif", "b.jpe", "no_suffix", "linked.jpg"
    }  # fmt: skip
    assert {Path(name).name: why for name, why in found.skipped.items()} == {
        "broken.jpg": "link to nothing",
        "readme.md": "neither a photo nor a video",
    }
    report = label(LabelConfig(str(few), str(tmp_path / "out"), **HAAR, workers=1))
    assert report.failures == 0 and "1 skipped (neither a photo nor a video)" in str(report)


def test_an_address_in_a_list_is_a_failure(few, tmp_path):
    (tmp_path / "list.txt").write_text(f"http://localhost/a.jpg\n{few}/002.png\n{few}/absent.png\n")
    errors = [row.get("error") or "" for row in rows_in(tmp_path / "list.txt")]
    assert (
        "expected an address of a file system" in errors[0] and not errors[1] and "no such file" in errors[2]
    )


def test_what_a_killed_write_left_is_removed(few, tmp_path):
    config = LabelConfig(str(few), str(tmp_path / "out"), **HAAR, workers=1)
    label(config)
    (tmp_path / "out/.fsanet.1").mkdir()
    (tmp_path / "out/.fsanet.1/part-000000.parquet").write_bytes(b"PAR1")
    assert label(config).photos == 3 and not list((tmp_path / "out").glob(".*"))


@pytest.mark.slow
def test_a_stage_refuses_what_is_no_dataset_of_ray():
    with pytest.raises(InputError, match=r"dataset: expected a ray\.data\.Dataset, received list"):
        label_dataset(["photo.jpg"])


@pytest.mark.slow
def test_ray_writes_the_same_table(photos, expected, tmp_path):
    output = tmp_path / "poses.parquet"
    result = subprocess.run(
        command(photos, output, "--engine=ray", "--workers=2"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stderr  # some photos cannot be labeled
    assert read_labels(str(output)).equals(expected)
    said = result.stderr.replace(str(output), "")
    assert "ray" not in said.lower() and len(result.stdout.splitlines()) == 1


@pytest.mark.slow
def test_a_killed_ray_driver_is_resumed(photos, expected, tmp_path):
    output = tmp_path / "poses.parquet"
    arguments = command(photos, output, "--engine=ray", "--workers=2")
    with subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.DEVNULL) as run:
        wait_for_parts(output, 10, run)
        run.kill()
    assert subprocess.run(arguments, cwd=ROOT, check=False).returncode == 1
    assert read_labels(str(output)).equals(expected)


def test_no_ray_cluster_is_one_clear_line(photos, tmp_path):
    arguments = command(photos, tmp_path / "out", "--address=127.0.0.1:1")[3:]
    result = run_fsanet(*arguments)
    lines = [line for line in result.stderr.splitlines() if "photo/s" not in line and line.strip()]
    assert result.returncode == 1 and len(lines) == 1 and "no Ray cluster there" in lines[0], result.stderr


@pytest.mark.slow
def test_a_second_node_takes_part_and_may_die(photos, expected, tmp_path):
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 32}
    ray = [sys.executable, "-m", "ray.scripts.scripts"]

    def start(*options: str) -> None:
        subprocess.run(
            [*ray, "start", "--num-cpus=1", *options], env=environment, check=True, capture_output=True
        )

    output = tmp_path / "poses.parquet"
    try:
        start("--head", "--node-ip-address=127.0.0.1", "--port=6397", "--include-dashboard=false")
        start("--address=127.0.0.1:6397")
        nodes = [p for p in psutil.process_iter(["name"]) if p.info["name"] == "raylet"]
        second = max(nodes, key=lambda process: process.create_time())
        for copy in range(12):
            (tmp_path / "many" / f"{copy:02d}").mkdir(parents=True)
            for photo in sorted(photos.glob("*.png")):
                shutil.copy(photo, tmp_path / "many" / f"{copy:02d}")
        arguments = command(tmp_path / "many", output, "--address=127.0.0.1:6397")
        with subprocess.Popen(arguments, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as run:
            wait_for_parts(output, 40, run)
            names = {process.cmdline()[0] for process in second.children(recursive=True) if process.cmdline()}
            second.kill()
            assert run.wait(300) == 1
    finally:
        subprocess.run([*ray, "stop", "--force"], env=environment, capture_output=True, check=False)
    assert read_labels(str(output)).equals(as_table(rows_in(tmp_path / "many")))
    assert any("PartActor" in name for name in names), names
