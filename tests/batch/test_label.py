"""`fsanet label`: each photo exactly once, through bad files, kills and engines."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fsanet_tf.batch import tasks as tasks_module
from fsanet_tf.batch.config import LabelConfig, LabelerConfig
from fsanet_tf.batch.items import Item, find_items
from fsanet_tf.batch.label import label
from fsanet_tf.batch.labeler import Labeler
from fsanet_tf.batch.output import Output
from fsanet_tf.batch.table import SCHEMA, as_table
from fsanet_tf.batch.tasks import Task, make_tasks, run_task
from fsanet_tf.io.images import read_image
from fsanet_tf.prediction.predict import PredictionConfig, predict
from tests.conftest import ROOT, assert_one_clear_line, run_fsanet

HAAR = LabelerConfig(network="1x1", detector="haar")
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
    labeler = Labeler(HAAR)
    return as_table([row for item in find_items(photos) for row in labeler.label(item)])


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
        assert row["left"] < row["landmark_left"] < row["landmark_right"] < row["right"]
        assert (row["network"], row["detector"], row["uncertainty_deg"]) == ("1x1", "haar", None)


def test_pool_writes_the_same_table_and_resumes_nothing_twice(photos, expected, tmp_path):
    config = LabelConfig(str(photos), str(tmp_path / "poses.parquet"), HAAR, workers=2)
    report = label(config)
    assert report.table().equals(expected)
    assert report.counts.photos == NUM_PHOTOS + NUM_BROKEN + NUM_ODD == sum(report.workers.values())
    assert (
        report.counts.failures == NUM_BROKEN and report.counts.faces == expected["yaw"].drop_null().length()
    )
    assert all(seconds > 0 for seconds in report.counts.seconds.values())
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
    assert_one_clear_line(run_fsanet(*other), "contains another job, images_sha256")
    assert_one_clear_line(
        run_fsanet("label", f"--source={photos / '002.png'}", f"--output={photos}", "--detector=haar"),
        "contains other files",
    )


def test_mistakes_are_one_clear_line(photos, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "no_path.csv").write_text("a,b\n1,2\n")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    for source, said in {
        tmp_path / "absent": "no such source",
        tmp_path / "empty": "found none",
        tmp_path / "no_path.csv": "expected a column path",
        tmp_path / "bad.parquet": "could not read it",
        "nosuch://bucket/*.jpg": "could not list it",
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
    (tmp_path / "table.csv").write_text("file,other\n" + "".join(f"{name},1\n" for name in names))
    pq.write_table(pa.table({"path": names}), tmp_path / "paths.parquet")
    contents = [Path(name).read_bytes() for name in names]
    pq.write_table(pa.table({"path": names, "bytes": contents}), tmp_path / "bytes.parquet", row_group_size=2)
    labeler = Labeler(HAAR)

    def rows(source):
        return [row for item in find_items(source) for row in labeler.label(item)]

    expected = rows(names)
    assert [row["source"] for row in expected] == names and all(row["yaw"] for row in expected)
    for name in ("list.txt", "table.csv", "paths.parquet", "bytes.parquet"):
        assert rows(tmp_path / name) == expected, name
    for pattern in (f"{photos}/00[246].png", f"{photos}/**/00[246].png"):
        assert rows(pattern) == expected, pattern
    uri = rows(f"file://{photos}/00[246].png")
    assert [{**row, "source": row["source"].removeprefix("file://")} for row in uri] == expected
    assert len(find_items(f"{photos}/**/*.png")) == NUM_PHOTOS + 5 + NUM_ODD


def test_tasks_of_a_job_are_always_the_same():
    items = [Item(f"{i}.jpg", f"{i}.jpg") for i in range(300)] + [Item("v.mp4", "v.mp4")]
    tasks = make_tasks(items)
    assert [item for task in tasks for item in task.items] == items and make_tasks(items) == tasks
    assert tasks[-1].items == (items[-1],) and max(len(task.items) for task in tasks) == 3
    assert max(len(task.items) for task in make_tasks(items[:1] * 300_000)) == 1000


def test_video_has_the_rows_of_the_demo(reference, tmp_path):
    clip = reference / "media/head-pose-face-detection-male.gif"
    frames = predict(
        PredictionConfig(
            str(clip), network="1x1", detector="haar", hold_frames=0, output=str(tmp_path / "v.mp4")
        )
    )
    rows = Labeler(HAAR).label(Item(str(clip), str(clip)))
    faces = [row for row in rows if row["yaw"] is not None]
    drawn = [(frame, face) for frame in frames for face in frame.faces]
    assert len(faces) == len(drawn) > 50
    by_frame = {(row["frame"], row["left"], row["top"]): row for row in faces}
    for frame, face in drawn:
        row = by_frame[int(frame.name), face.box[0], face.box[1]]
        assert (row["yaw"], row["pitch"], row["roll"]) == face.pose_deg
        assert row["time_s"] == pytest.approx(frame.time_s, abs=1e-3)
    every = Labeler(LabelerConfig(network="1x1", detector="haar", every_s=0.5)).label(
        Item(str(clip), str(clip))
    )
    times = sorted({row["time_s"] for row in every})
    assert np.diff(times).min() >= 0.45 and len(times) < len(frames) / 5


def test_table_is_training_data(photos, tmp_path):
    label(LabelConfig(str(photos), str(tmp_path / "poses.parquet"), HAAR, workers=1))
    table = f"--table={tmp_path / 'poses.parquet'}"
    result = run_fsanet("preprocess", "table", table, f"--output={tmp_path / 'own.npz'}")
    assert result.returncode == 0 and ", 0 left out" in result.stdout, result.stderr


def test_a_killed_worker_loses_and_repeats_nothing(photos, expected, tmp_path):
    output = tmp_path / "poses.parquet"
    with subprocess.Popen(command(photos, output, "--workers=2"), cwd=ROOT, stderr=subprocess.DEVNULL) as run:
        wait_for_parts(output, 3, run)
        workers = psutil.Process(run.pid).children(recursive=True)
        busy = [p for p in workers if "forkserver" in " ".join(p.cmdline()) and p.ppid() != run.pid]
        assert busy
        busy[0].send_signal(signal.SIGKILL)
        assert run.wait(120) == 0
    assert Output(str(output)).read().equals(expected)


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
    assert subprocess.run(command(photos, output), cwd=ROOT, check=False).returncode == 0
    assert Output(str(output)).read().equals(expected)
    assert [path.name for path in output.glob("_*")] == ["_job.json"]


def wait_for_parts(output: Path, count: int, run: subprocess.Popen) -> None:
    """Wait until more than `count` tasks are finished, or the run has ended."""
    end = time.monotonic() + 120.0
    while len(list(output.glob("part-*"))) <= count and run.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


def crash_on_the_second(item, config):
    """Stands for a library that crashes on a damaged file."""
    if item.name.endswith("004.png"):
        os.kill(os.getpid(), signal.SIGKILL)
    return ORIGINAL(item, config)


ORIGINAL = tasks_module._label_one


def test_a_photo_that_kills_its_reader_becomes_a_failure(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(tasks_module, "_label_one", crash_on_the_second)
    items = find_items([photos / f"{number:03d}.png" for number in (2, 4, 6)])
    task = Task(0, tuple(items))
    output = Output(str(tmp_path / "poses.parquet"))
    output.claim(items, HAAR)
    assert output.begin(0) == 0 and output.begin(0) == 1  # twice begun, never finished
    run_task(task, HAAR, output)
    rows = output.read().to_pylist()
    assert [bool(row["error"]) for row in rows] == [False, True, False]
    assert "crashes the library" in rows[1]["error"]
    assert output.summary(0)[0].photos == 3 and output.finished() == {0}


def test_ray_writes_the_same_table(photos, expected, tmp_path):
    output = tmp_path / "poses.parquet"
    result = subprocess.run(
        command(photos, output, "--engine=ray", "--workers=2"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert Output(str(output)).read().equals(expected)
    assert "ray" not in result.stderr.lower() and len(result.stdout.splitlines()) == 1


@pytest.mark.slow
def test_a_killed_ray_driver_is_resumed(photos, expected, tmp_path):
    output = tmp_path / "poses.parquet"
    arguments = command(photos, output, "--engine=ray", "--workers=2")
    with subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.DEVNULL) as run:
        wait_for_parts(output, 10, run)
        run.kill()
    assert subprocess.run(arguments, cwd=ROOT, check=False).returncode == 0
    assert Output(str(output)).read().equals(expected)


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
            second.kill()
            assert run.wait(300) == 0
    finally:
        subprocess.run([*ray, "stop", "--force"], env=environment, capture_output=True, check=False)
    labeler = Labeler(HAAR)
    rows = [row for item in find_items(tmp_path / "many") for row in labeler.label(item)]
    result = Output(str(output))
    assert result.read().equals(as_table(rows))
    nodes_of = {result.summary(number)[1].split(":")[0] for number in result.finished()}
    assert len(nodes_of) == 2
