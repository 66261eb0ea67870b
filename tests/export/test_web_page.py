"""The live page in headless Chromium: Python's poses from the same pixels, its controls, its messages."""

import base64
import csv
import dataclasses
import http.client
import json
import re
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
from fsanet_tf.detection.detection import Detection, overlap
from fsanet_tf.detection.detectors import make_detector, reduce_frame
from fsanet_tf.export.web import LIVE_SIDE, make_config
from fsanet_tf.geometry.crop import CropRule, crop_face, moved_box
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.prediction.estimate import FaceFinder
from fsanet_tf.prediction.pose_tracker import FollowingConfig
from fsanet_tf.prediction.predictor import PosePredictor
from fsanet_tf.prediction.smoothing import OneEuroFilter, SmoothingConfig
from tests.conftest import ROOT, run_fsanet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.skipif(shutil.which("npm") is None, reason="no Node.js on this machine"),
]
PAGE = ROOT / "fsanet_tf/export/web_page"
BOXES = [
    (179.4, 62.6, 269.9, 178.2), (-20.5, -30.2, 120.7, 90.1), (400.0, 420.0, 530.0, 600.0),
    (100.3, 100.7, 104.2, 105.9), (3.0, 5.0, 500.0, 480.0), (-300.0, -200.0, 900.5, 1000.5),
]  # fmt: skip
PICTURES = (
    ("obama.mp4", (0, 20, 50)),
    ("yes.mkv", (5, 40)),
    ("head-pose-face-detection-male.gif", (3, 30)),
    ("head-pose-face-detection-female-and-male.gif", (3, 30)),
)
FACES = make_config([{"name": "none"}])["faces"]
PLAIN = "fsanet_var_capsule_3_16_2_21_5.h5"  # released weights
LOAD = "async () => { const api = await import('./headpose.js'); window.headpose = await api.load(); }"
PREDICT = """async (png) => {
  const bytes = Uint8Array.from(atob(png), (c) => c.charCodeAt(0));
  return window.headpose.predict(new Blob([bytes], { type: "image/png" }));
}"""
CAPTURE = """async (count) => {
  const video = document.createElement("video");
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  await video.play();
  const canvas = new OffscreenCanvas(640, 480);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const captured = [];
  while (captured.length < count) {
    await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
    context.drawImage(video, 0, 0);
    const { data } = context.getImageData(0, 0, 640, 480);
    const faces = await window.headpose.predict(canvas, { live: true });
    const binary = data.reduce((text, value) => text + String.fromCharCode(value), "");
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
def plain_port(released, detectors, tmp_path_factory):
    """A page whose network does not localize, so that each face is one of the detector."""
    output, weights = tmp_path_factory.mktemp("plain"), released / PLAIN
    result = run_fsanet("export", f"--network={weights}", "--formats=web", f"--output_dir={output}")
    assert result.returncode == 0, result.stderr
    with serve(output / "web") as port:
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


def require_pythons_poses(faces: list[dict[str, Any]], picture: np.ndarray, predictor: PosePredictor) -> None:
    """The page's poses are Python's from the page's boxes."""
    boxes = [Detection(tuple(face["box"]), face["score"]) for face in faces]
    for face, expected in zip(faces, predictor.predict(picture, boxes), strict=True):
        angles = [face["yaw"], face["pitch"], face["roll"]]
        np.testing.assert_allclose(angles, expected.pose_deg, atol=1e-3)
        assert face["uncertaintyDeg"] == pytest.approx(expected.uncertainty_deg, abs=1e-3)


def test_pictures_give_pythons_boxes_and_poses_and_nothing_is_asked_elsewhere(port, reference):
    media = reference / "media"
    pictures = [read_image(media / name) for name in ("bald_guys.jpg", "obama.jpg")]
    for name, numbers in PICTURES:
        frames = read_frames(media / name, max(numbers) + 1)
        pictures += [frames[number] for number in numbers]
    detect, predictor, asked, count = make_detector("yunet"), PosePredictor(load_model("fusion")), [], 0
    with browser() as chromium:
        page = chromium.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"http://127.0.0.1:{port}")
        wait_until_loaded(page)
        page.evaluate(LOAD)
        for picture in pictures:
            faces = page.evaluate(PREDICT, as_png(picture))
            require_pythons_poses(faces, picture, predictor)
            boxes = [face.box for face in FaceFinder(predictor, detect).find(picture)]
            found = np.array([face["box"] for face in faces])
            distances = np.abs(found[:, None] - np.array(boxes)[None]).max(
                axis=2
            )  # equally sure ones may swap
            assert len(found) == len(boxes)
            assert (distances.min(axis=1) <= 0.01).all()
            count += len(faces)
    assert count >= 30
    assert asked and all(url.startswith((f"http://127.0.0.1:{port}/", "blob:", "data:")) for url in asked)


def run_in_node(folder: Path, image: np.ndarray, code: str) -> np.ndarray:
    """Run JavaScript on `frame`, a picture of RGBA pixels; return the float32 numbers of its `result`."""
    rgba = np.dstack([image[..., ::-1], np.full(image.shape[:2], 255, np.uint8)])
    (folder / "pixels.bin").write_bytes(rgba.tobytes())
    shutil.copy(PAGE / "pipeline.js", folder / "pipeline.mjs")
    (folder / "run.mjs").write_text(f"""
      import {{ readFileSync, writeFileSync }} from "node:fs";
      import * as pipeline from "./pipeline.mjs";
      const data = new Uint8ClampedArray(readFileSync("pixels.bin"));
      const frame = {{ data, width: {image.shape[1]}, height: {image.shape[0]} }};
      {code}
      writeFileSync("result.bin", new Float32Array(result));
    """)
    subprocess.run(["node", "run.mjs"], cwd=folder, check=True)
    return np.fromfile(folder / "result.bin", np.float32)


@pytest.mark.parametrize("size", [1, 2, 3, 40, 63, 64, 65, 127, 128, 129, 300])
def test_the_resize_is_opencvs(size, tmp_path, rng):
    image = rng.integers(0, 256, (size, size + size // 3, 3), np.uint8)
    code = f"""
      const result = new Float32Array(48 * 64 * 3);
      pipeline.resizeBox(frame, [0, 0, {image.shape[1]}, {size}], 64, 48, result);
    """
    crop = run_in_node(tmp_path, image, code).reshape(48, 64, 3)
    np.testing.assert_array_equal(crop, cv2.resize(image, (64, 48)))


@pytest.mark.parametrize("sampling", ["original", "filtered"])
@pytest.mark.parametrize("square", [True, False])
def test_crops_are_those_of_crop_face(sampling, square, tmp_path):
    image, rule = read_image("astronaut"), CropRule(0.29, square, sampling)
    network = json.dumps({"crop": dataclasses.asdict(rule), "image_size": 64})
    code = f"""
      const crops = {json.dumps(BOXES)}.map((box) => pipeline.cropFace(frame, box, {network}));
      const result = crops.flatMap((crop) => [...crop]);
    """
    crops = run_in_node(tmp_path, image, code).reshape(-1, 64, 64, 3)
    for crop, box in zip(crops, BOXES, strict=True):
        np.testing.assert_allclose(crop, crop_face(image, box, rule), atol=0.02)
    outside = "[[900, 900, 950, 950], [-50, -50, -5, -5], [512, 10, 600, 98], [10, 10, NaN, 20]]"
    code = (
        f"const result = {outside}.map((box) => Number(pipeline.cropFace(frame, box, {network}) === null));"
    )
    assert run_in_node(tmp_path, image, code).tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("side", [256, 320, 77, 500, 512, 4000])
def test_frames_are_reduced_as_opencv_does(side, tmp_path):
    image = read_image("astronaut")[:401, :511]
    code = f"const reduced = pipeline.reduce(frame, {side}); const result = reduced.data;"
    reduced = run_in_node(tmp_path, image, code)
    width = min(side, 511)
    height = round(401 * width / 511)
    expected = reduce_frame(image, side)
    np.testing.assert_array_equal(reduced.reshape(height, width, 4)[..., 2::-1], expected)


def test_faces_are_followed_and_dropped_as_in_python(tmp_path):
    config = json.dumps(dataclasses.asdict(FollowingConfig()))
    code = f"""
      const follower = new pipeline.Follower({config}, {json.dumps(FACES)});
      const log = [Number(follower.isDue(0))];
      follower.add([{{ box: [0, 0, 10, 10], score: 0.9 }}, {{ box: [100, 0, 110, 10], score: 0.8 }}]);
      const answer = (faceScore) => follower.update(follower.faces.map((face) => ({{
        ...face, faceScore: face.box[0] < 50 ? 0.9 : faceScore, nextBox: face.box.map((edge) => edge + 1),
      }})));
      log.push(answer(0.9).length, ...follower.faces[0].box, +follower.isDue(0.1), +follower.isDue(0.6));
      follower.add([{{ box: [2, 2, 11, 11], score: 0.9 }}]);
      log.push(follower.faces.length);
      for (let frame = 0; frame < 3; frame++) {{
        log.push(answer(0.1).length, ...follower.faces.map(({{ box }}) => box[0]));
      }}
      follower.add([{{ box: [200, 0, 210, 10], score: 0.9 }}]);
      log.push(answer(0.1).length);
      const result = log;
    """
    steps = run_in_node(tmp_path, np.zeros((2, 2, 3), np.uint8), code).tolist()
    places = [2, 3, 101, 2, 6, 101, 1, 10]  # of a face that is carried on at its speed, and of one not seen
    assert steps == [1, 2, 1, 1, 11, 11, 0, 1, 2, *places, 1]


def test_boxes_move_as_in_python(tmp_path):
    rule, box, offset = CropRule(0.29, True), (10.0, 20.0, 50.0, 70.0), (0.1, -0.2, 0.3)
    code = f"""
      const rule = {json.dumps(dataclasses.asdict(rule))};
      const following = {json.dumps(dataclasses.asdict(FollowingConfig()))};
      const result = [
        ...pipeline.movedBox({list(box)}, rule, {list(offset)}),
        ...pipeline.damped([0.03, -0.04, 0.1], following),
        ...pipeline.ahead([9, 21, 49, 71], {list(box)}, following),
        ...pipeline.ahead([0, 21, 40, 71], {list(box)}, following),
      ];
    """
    moved = run_in_node(tmp_path, np.zeros((2, 2, 3), np.uint8), code)
    following = FollowingConfig()
    damped = following.damped((0.03, -0.04, 0.1))
    slow, fast = (following.ahead((left, 21.0, left + 40, 71.0), box) for left in (9.0, 0.0))
    assert fast == (20, 19, 60, 69)
    np.testing.assert_allclose(moved, [*moved_box(box, rule, offset), *damped, *slow, *fast], rtol=1e-6)


def test_smoothing_is_pythons(tmp_path, rng):
    for name in ("smoothing", "pipeline"):
        shutil.copy(PAGE / f"{name}.js", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    angles, times = rng.normal(0, 30, (20, 3)).round(3), np.linspace(0, 1, 20)
    smooth = OneEuroFilter(SmoothingConfig())
    expected = [smooth(row, time).tolist() for row, time in zip(angles, times)]
    config = dataclasses.asdict(SmoothingConfig())
    code = f"""
      import {{ OneEuroFilter }} from "./smoothing.js";
      const filter = new OneEuroFilter({json.dumps(config)}), times = {times.tolist()};
      console.log(JSON.stringify({angles.tolist()}.map((row, i) => filter.smooth(row, times[i]))));
    """
    (tmp_path / "run.mjs").write_text(code)
    result = subprocess.run(["node", "run.mjs"], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(json.loads(result.stdout), expected, atol=1e-9)


def capture(port: int, clip: Path, network: str | Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the boxes of the page's faces and of Python's detector in frames that the page captured.

    Its poses are Python's, and its frames are those of the clip, one after the other.
    """
    detect, predictor = make_detector("yunet"), PosePredictor(load_model(network))
    with browser("--use-fake-ui-for-media-stream", *camera_flags(clip)) as chromium:
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{port}")
        wait_until_loaded(page)
        page.evaluate(LOAD)
        captured = page.evaluate(CAPTURE, 12)
    numbers, boxes = [], []
    for answer in captured:
        rgba = np.frombuffer(base64.b64decode(answer["pixels"]), np.uint8).reshape(480, 640, 4)
        frame = np.ascontiguousarray(rgba[..., 2::-1])
        numbers.append(sum(int(frame[16, 32 * bit + 16, 0] > 127) << bit for bit in range(8)))
        require_pythons_poses(answer["faces"], frame, predictor)
        half = detect(cv2.resize(frame, (LIVE_SIDE, LIVE_SIDE * 3 // 4), interpolation=cv2.INTER_AREA))
        detected = np.array([face.box for face in half]).reshape(-1, 4) * 640 / LIVE_SIDE
        boxes.append((np.array([face["box"] for face in answer["faces"]]).reshape(-1, 4), detected))
    assert len(set(numbers)) > 6 and max(numbers) < 40
    return boxes


def test_a_cameras_pixels_give_pythons_poses(plain_port, released, clip):
    boxes = capture(plain_port, clip, released / PLAIN)
    num_detected = sum(
        len(shown) == len(detected) and np.allclose(shown, detected, atol=0.02) for shown, detected in boxes
    )
    assert num_detected >= len(boxes) / 3  # the others keep the boxes of the frame before


def test_a_network_that_localizes_follows_the_face_of_a_camera(port, clip):
    for shown, detected in capture(port, clip, "fusion"):
        assert len(shown) == len(detected) == 1 and overlap(shown[0], detected[0]) > 0.5


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
        page.locator("#network:enabled").wait_for()
        assert page.locator("#angles").inner_text() != ""
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


def test_an_animation_plays_and_the_numbers_say_whose_they_are(port, reference):
    with browser() as chromium:
        page = chromium.new_page()
        page.goto(f"http://127.0.0.1:{port}")
        wait_until_loaded(page)
        media = reference / "media"
        page.locator("#file").set_input_files(media / "head-pose-face-detection-female-and-male.gif")
        page.locator("#whose:has-text('of 2')").wait_for()
        page.locator("#file").set_input_files(media / "head-pose-face-detection-male.gif")
        page.locator("#whose", has_text=re.compile("^$")).wait_for(state="attached")
        seen = set()
        for _ in range(20):
            seen.add(page.locator("#angles").inner_text())
            page.wait_for_timeout(250)
        assert len(seen) > 3


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


def test_every_file_of_the_page_is_served(folder, port):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for path in (p for p in folder.rglob("*") if p.is_file()):
        connection.request("GET", "/" + path.relative_to(folder).as_posix())
        response = connection.getresponse()
        assert response.status == 200 and response.read() == path.read_bytes()
