"""The page, in a headless browser: a photo goes up, three angles come back, nothing leaves the machine."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest

from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.drawing.poses import draw_face
from fsanet_tf.io.images import read_image
from fsanet_tf.prediction.predictor import PosePredictor
from tests.conftest import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture
def page_url():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "fsanet_tf", "web", f"--port={port}"], cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            break
        except OSError:
            time.sleep(0.25)
    yield url
    process.terminate()
    process.wait()


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_photo_goes_up_and_three_angles_come_back(page_url, tmp_path):
    from playwright.sync_api import sync_playwright

    mirrored = np.ascontiguousarray(read_image("astronaut")[:300, ::-1])
    cv2.imwrite(str(tmp_path / "photo.png"), mirrored)
    asked = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_url)
        first = read_angles(page, [])
        page.get_by_label("Remove").or_(page.get_by_label("Clear")).first.click()
        page.locator("#photo input[type=file]").set_input_files(str(tmp_path / "photo.png"))
        angles = read_angles(page, first)
        drawn = read_drawn(page, height=300)
        browser.close()
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {page_url.split("/")[2]}
    detections = make_detector()(mirrored)
    (face,) = PosePredictor("fusion").predict(mirrored, detections)
    np.testing.assert_allclose(angles, face.pose_deg, atol=0.06)
    draw_face(mirrored, face.box, face.pose_deg)
    np.testing.assert_array_equal(drawn, mirrored)


def read_angles(page, previous: list[float]) -> list[float]:
    """Yaw, pitch and roll of the table's one face, once they are others than before."""
    for _ in range(240):
        numbers = re.findall(r"-?\d+(?:\.\d+)?", page.locator("#angles").inner_text())
        angles = [float(number) for number in numbers[-3:]]
        if len(numbers) == 4 and angles != previous:
            return angles
        page.wait_for_timeout(250)
    raise AssertionError(f"no new angles: {page.locator('#angles').inner_text()!r}")


def read_drawn(page, height: int) -> np.ndarray:
    """The drawn photo, BGR, once the browser shows one of that height; it comes after the angles."""
    shown = page.locator("#poses img")
    page.wait_for_function(
        "height => document.querySelector('#poses img')?.naturalHeight === height", arg=height, timeout=60_000
    )
    assert shown.is_visible()
    body = page.request.get(shown.get_attribute("src")).body()
    return cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)


def test_requests_for_another_host_are_refused(page_url):
    request = urllib.request.Request(page_url, headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=10)


def test_the_page_has_one_named_endpoint(page_url):
    with urllib.request.urlopen(f"{page_url}/gradio_api/info", timeout=10) as answer:
        endpoints = json.load(answer)["named_endpoints"]
    assert list(endpoints) == ["/poses"]


def test_large_uploads_are_refused(page_url):
    body = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    body += bytes(21_000_000) + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    request = urllib.request.Request(f"{page_url}/gradio_api/upload", body, headers)
    with pytest.raises(urllib.error.HTTPError, match="413"):
        urllib.request.urlopen(request, timeout=30)
