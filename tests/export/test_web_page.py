"""The live page in headless Chromium: Python's poses from the same pixels, its controls, its messages."""

import base64
import csv
import http.client
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

from benchmarks.browser import (
    CHROMIUM,
    browser,
    camera_flags,
    read_frames,
    serve,
    wait_until_loaded,
    write_y4m,
)
from fsanet_tf.detection.detection import Detection
from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.errors import InputError
from fsanet_tf.export import web_runtime
from fsanet_tf.export.web_runtime import SHA256, copy_runtime
from fsanet_tf.prediction.predictor import PosePredictor
from fsanet_tf.prediction.smoothing import OneEuroFilter, SmoothingConfig
from tests.conftest import ROOT, run_fsanet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.skipif(
        shutil.which("npm") is None, reason="no npm on this machine, which fetches the runtime"
    ),
]
PICTURES = (
    ("obama.mp4", (0, 20, 50)),
    ("yes.mkv", (5, 40)),
    ("head-pose-face-detection-male.gif", (3, 30)),
    ("head-pose-face-detection-female-and-male.gif", (3, 30)),
)
LOAD = "async () => { const api = await import('./headpose.js'); window.headpose = await api.load(); }"
PREDICT = """async (png) => {
  const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
  return window.headpose.predict(new Blob([bytes], { type: "image/png" }));
}"""
CAPTURE = """async (count) => {
  const video = document.createElement("video");
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  await video.play();
  const captured = [];
  while (captured.length < count) {
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    const faces = await window.headpose.predict(video, { live: true, echo: true });
    const binary = window.headpose.pixels.reduce((text, value) => text + String.fromCharCode(value), "");
    captured.push({ faces, pixels: btoa(binary) });
  }
  return captured;
}"""


@pytest.fixture(scope="module", autouse=True)
def detectors(reference):
    patch = pytest.MonkeyPatch()
    patch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def folder(detectors, tmp_path_factory) -> Path:
    """The page that `fsanet export --format=web` writes."""
    output = tmp_path_factory.mktemp("exported")
    result = run_fsanet("export", "--network=fusion", "--formats=web", f"--output_dir={output}")
    assert result.returncode == 0, result.stderr
    return output / "web"


@pytest.fixture(scope="module")
def port(folder):
    with serve(folder) as port:
        yield port


@pytest.fixture(scope="module")
def clip(reference, tmp_path_factory) -> Path:
    """A camera's footage: 40 frames, each with its number as eight black or white squares on top."""
    frames = read_frames(reference / "media/yes.mkv", 40)
    for number, frame in enumerate(frames):
        for bit in range(8):
            frame[:32, 32 * bit : 32 * bit + 32] = 255 if number >> bit & 1 else 0
    path = tmp_path_factory.mktemp("clip") / "camera.y4m"
    write_y4m(path, frames, 10)
    return path


def as_png(frame: np.ndarray) -> str:
    return base64.b64encode(cv2.imencode(".png", frame)[1].tobytes()).decode()


def assert_equal_poses(in_browser: list[dict[str, Any]], in_python) -> None:
    assert len(in_browser) == len(in_python)
    for face, expected in zip(in_browser, in_python):
        angles = [face["yaw"], face["pitch"], face["roll"]]
        np.testing.assert_allclose(angles, expected.pose_deg, atol=1e-3)
        np.testing.assert_allclose(face["box"], expected.box, atol=0.01)
        assert face["uncertaintyDeg"] == pytest.approx(expected.uncertainty_deg, abs=1e-3)


def test_pictures_give_pythons_boxes_and_poses_and_nothing_is_asked_elsewhere(port, reference):
    media = reference / "media"
    pictures = [cv2.imread(str(media / name)) for name in ("bald_guys.jpg", "obama.jpg")]
    for name, numbers in PICTURES:
        frames = read_frames(media / name, max(numbers) + 1)
        pictures += [frames[number] for number in numbers]
    detect, predictor, asked, count = make_detector("yunet"), PosePredictor("fusion"), [], 0
    with browser() as chromium:
        page = chromium.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"http://127.0.0.1:{port}")
        wait_until_loaded(page)
        page.evaluate(LOAD)
        for picture in pictures:
            faces = predictor.predict(picture, detect(picture))
            assert_equal_poses(page.evaluate(PREDICT, as_png(picture)), faces)
            count += len(faces)
    assert count == 36
    assert asked and all(url.startswith((f"http://127.0.0.1:{port}/", "blob:", "data:")) for url in asked)


@pytest.mark.parametrize("size", [1, 2, 3, 40, 63, 64, 65, 127, 128, 129, 300])
def test_the_resize_is_opencvs(size, folder, tmp_path, rng):
    image = rng.integers(0, 256, (size, size + size // 3, 3), np.uint8)
    rgba = np.dstack([image[..., ::-1], np.full(image.shape[:2], 255, np.uint8)])
    (tmp_path / "pixels.bin").write_bytes(rgba.tobytes())
    shutil.copy(folder / "pipeline.js", tmp_path / "pipeline.mjs")
    code = f"""
      import {{ readFileSync, writeFileSync }} from "node:fs";
      import {{ cropAndResize }} from "./pipeline.mjs";
      const crop = new Float32Array(64 * 64 * 3);
      const data = new Uint8ClampedArray(readFileSync("pixels.bin"));
      const [width, height] = [{image.shape[1]}, {size}];
      cropAndResize({{ data, width, height }}, [0, 0, width, height], 64, crop);
      writeFileSync("crop.bin", crop);
    """
    (tmp_path / "run.mjs").write_text(code)
    subprocess.run(["node", "run.mjs"], cwd=tmp_path, check=True)
    crop = np.fromfile(tmp_path / "crop.bin", np.float32).reshape(64, 64, 3)
    np.testing.assert_array_equal(crop, cv2.resize(image, (64, 64)))


def test_smoothing_is_pythons(folder, tmp_path, rng):
    shutil.copy(folder / "smoothing.js", tmp_path / "smoothing.mjs")
    angles, times = rng.normal(0, 30, (20, 3)).round(3), np.linspace(0, 1, 20)
    smooth = OneEuroFilter(SmoothingConfig())
    expected = [smooth(row, time).tolist() for row, time in zip(angles, times)]
    config = json.loads((folder / "headpose.json").read_text())["smoothing"]
    code = f"""
      import {{ OneEuroFilter }} from "./smoothing.mjs";
      const filter = new OneEuroFilter({json.dumps(config)}), times = {times.tolist()};
      console.log(JSON.stringify({angles.tolist()}.map((row, i) => filter.smooth(row, times[i]))));
    """
    (tmp_path / "run.mjs").write_text(code)
    result = subprocess.run(["node", "run.mjs"], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(json.loads(result.stdout), expected, atol=1e-9)


def test_a_cameras_pixels_give_pythons_poses(port, clip):
    detect, predictor = make_detector("yunet"), PosePredictor("fusion")
    with browser("--use-fake-ui-for-media-stream", *camera_flags(clip)) as chromium:
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{port}")
        wait_until_loaded(page)
        page.evaluate(LOAD)
        captured = page.evaluate(CAPTURE, 12)
    numbers, num_detected = [], 0
    for answer in captured:
        rgba = np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8).reshape(480, 640, 4)
        frame = np.ascontiguousarray(rgba[..., 2::-1])
        numbers.append(sum(int(frame[16, 32 * bit + 16, 0] > 127) << bit for bit in range(8)))
        held = [
            Detection(tuple(face["box"]), face["score"], tuple(face["landmarkBox"]))
            for face in answer["faces"]
        ]
        assert_equal_poses(answer["faces"], predictor.predict(frame, held))
        half = detect(cv2.resize(frame, (320, 240), interpolation=cv2.INTER_AREA))
        boxes, detected = ([2 * np.array(face.box) for face in half], [face.box for face in held])
        if len(boxes) == len(detected) and np.allclose(boxes, detected, atol=0.02):
            num_detected += 1
    assert num_detected >= len(captured) / 3  # the others keep the boxes of the frame before
    assert len(set(numbers)) > 6 and max(numbers) < 40  # real frames of the clip, one after the other


def test_every_control_and_the_record(port, reference, clip, tmp_path):
    with browser("--use-fake-ui-for-media-stream", *camera_flags(clip)) as chromium:
        page = chromium.new_page(viewport={"width": 1100, "height": 800})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"http://127.0.0.1:{port}")
        wait_until_loaded(page)
        page.locator("#file").set_input_files(reference / "media/obama.jpg")
        page.locator("#yaw:has-text('°')").wait_for()
        photo = page.locator("#angles").inner_text()
        page.locator("#style").select_option("cube")
        page.locator("#network").select_option("1x1")
        page.wait_for_timeout(1500)
        assert page.locator("#network").is_enabled() and page.locator("#angles").inner_text() != ""
        page.locator("#camera").click()
        page.locator("#rate:has-text('frames/s')").wait_for()
        assert page.locator("#camera").inner_text() == "Stop camera"
        assert page.locator("#angles").inner_text() != photo
        page.locator("#network").select_option("var")  # while frames are predicted
        page.locator("#network:enabled").wait_for()
        page.locator("#smooth").uncheck()
        page.wait_for_timeout(1500)
        with page.expect_download() as download:
            page.locator("#download").click()
        download.value.save_as(tmp_path / "poses.csv")
        page.screenshot(path=tmp_path / "wide.png")
        page.locator("#camera").focus()
        page.keyboard.press("Enter")  # by the keyboard alone
        page.locator("#camera:has-text('Start camera')").wait_for()
        assert errors == [] and "Start the camera" in page.locator("#message").inner_text()
    rows = list(csv.DictReader((tmp_path / "poses.csv").open()))
    assert len(rows) > 5 and all(abs(float(row["yaw"])) < 99 for row in rows)
    assert float(rows[-1]["time_s"]) > float(rows[0]["time_s"])


def drop(page, name: str, kind: str, content: bytes) -> None:
    """Drop a file onto the page."""
    transfer = page.evaluate_handle(
        """({ name, kind, content }) => {
          const transfer = new DataTransfer();
          const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
          transfer.items.add(new File([bytes], name, { type: kind }));
          return transfer;
        }""",
        {"name": name, "kind": kind, "content": base64.b64encode(content).decode()},
    )
    page.dispatch_event("#stage", "drop", {"dataTransfer": transfer})


def test_what_goes_wrong_is_said_in_plain_words(port, reference):
    message = "#message:has-text('{}')"
    with browser("--use-fake-device-for-media-stream") as chromium:
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{port}")
        wait_until_loaded(page)
        page.locator("#camera").click()  # no permission was given
        page.locator(message.format("The camera was refused")).wait_for()
        drop(page, "flat.png", "image/png", base64.b64decode(as_png(np.full((90, 120, 3), 80, np.uint8))))
        page.locator(message.format("No face found")).wait_for()
        drop(page, "notes.txt", "text/plain", b"hello")
        page.locator(message.format("neither a picture nor a video")).wait_for()
        drop(page, "obama.jpg", "image/jpeg", (reference / "media/obama.jpg").read_bytes())
        page.locator("#yaw:has-text('°')").wait_for()
        assert page.locator("#message").inner_text() == ""
    with browser("--use-fake-ui-for-media-stream") as chromium:
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{port}")
        wait_until_loaded(page)
        page.locator("#camera").click()
        page.locator(message.format("No camera was found")).wait_for()
    with browser("--host-resolver-rules=MAP page.test 127.0.0.1") as chromium:
        page = chromium.new_page()
        page.goto(f"http://page.test:{port}")
        wait_until_loaded(page)
        page.locator("#camera").click()
        page.locator(message.format("only on https pages")).wait_for()


def test_memory_does_not_grow_with_frames(port, reference):
    frames = [as_png(frame) for frame in read_frames(reference / "media/yes.mkv", 10, (320, 240))]
    run = """async ({ frames, count }) => {
      const bitmaps = await Promise.all(frames.map(async (png) => createImageBitmap(
        new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))]))));
      for (let i = 0; i < count; i++) {
        await window.headpose.predict(bitmaps[i % bitmaps.length], { live: true });
      }
      bitmaps.forEach((bitmap) => bitmap.close());
    }"""
    with browser() as chromium:
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{port}")
        wait_until_loaded(page)
        page.evaluate(LOAD)
        used = []
        for count in (600, 1200, 1200):
            page.evaluate(run, {"frames": frames, "count": count})
            used.append(resident_memory())
    assert used[2] < 1.1 * used[0], used


def resident_memory() -> int:
    """Memory of the renderers of the browser that this process started, in bytes."""
    children = psutil.Process().children(recursive=True)
    renderers = [child for child in children if "--type=renderer" in child.cmdline()]
    assert renderers
    return sum(renderer.memory_info().rss for renderer in renderers)


def test_scripts_pass_the_type_checker_and_the_linter(tmp_path):
    for name in ("package.json", "package-lock.json", "tsconfig.json", "eslint.config.js"):
        shutil.copy(ROOT / "web_checks" / name, tmp_path)
    shutil.copytree(ROOT / "web_checks/types", tmp_path / "types")
    shutil.copytree(ROOT / "fsanet_tf/export/web_page", tmp_path / "web_page")
    for command in (["npm", "ci", "--silent"], ["npx", "tsc"], ["npx", "eslint", "web_page"]):
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


def test_a_wrong_or_missing_runtime_is_one_clear_line(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no such copy of the web runtime"):
        copy_runtime(tmp_path / "out", str(tmp_path / "absent.tgz"))
    for name in SHA256:
        (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match="expected that of onnxruntime-web"):
        copy_runtime(tmp_path / "out", str(tmp_path))
    (tmp_path / "bad.tgz").write_text("x")
    with pytest.raises(InputError, match="expected the npm package"):
        copy_runtime(tmp_path / "out", str(tmp_path / "bad.tgz"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FSANET_WEB_RUNTIME", raising=False)
    monkeypatch.setattr(web_runtime.shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="there is no npm: install npm, or name a copy"):
        copy_runtime(tmp_path / "out")


def test_every_file_of_the_page_is_served(folder, port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for path in (p for p in folder.rglob("*") if p.is_file()):
        connection.request("GET", "/" + path.relative_to(folder).as_posix())
        response = connection.getresponse()
        assert response.status == 200 and response.read() == path.read_bytes()
