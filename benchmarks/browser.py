"""The live page in headless Chromium: export it, serve its folder, open it, and play footage as a camera."""

import contextlib
import functools
import http.server
import itertools
import shutil
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.export.config import ExportConfig
from fsanet_tf.export.export import export_model
from fsanet_tf.prediction.sources import open_video

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# No connection of the browser's own, which a closed network would only delay.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serve a folder without a log."""

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


def export_page(network: str, output_dir: Path) -> Path:
    """Export the live page of a network; return its folder.

    Raises:
        InputError: If that fails.
    """
    report = export_model(ExportConfig((network,), str(output_dir), ("web",)))
    if report.refused:
        raise InputError(report.refused[0])
    return output_dir / "web"


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[int]:
    """Serve a folder on the loopback address for a block; yield the port."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextlib.contextmanager
def browser(*flags: str) -> Iterator[Any]:
    """Start headless Chromium for a block."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        yield chromium
        chromium.close()


def camera_flags(clip: Path) -> tuple[str, str]:
    """Return the flags that make a clip the camera."""
    return "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={clip}"


def wait_until_loaded(page: Any) -> None:
    """Wait until the page has loaded its networks."""
    page.locator("#camera:enabled").wait_for(timeout=120_000)


def write_y4m(path: Path, frames: Sequence[np.ndarray], frames_per_second: int) -> None:
    """Write BGR frames of even sides as uncompressed video, which Chromium plays as a camera, in a loop."""
    height, width = frames[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{frames_per_second}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes())


def read_frames(path: Path, count: int, size: tuple[int, int] | None = None) -> list[np.ndarray]:
    """Read the first frames of a video, resized to a width and height if they are given.

    Raises:
        InputError: If it cannot be read.
    """
    frames = [frame.image for frame in itertools.islice(open_video(path), count)]
    return [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames] if size else frames
