"""Frames per second of the live page in headless Chromium, time per stage, and bytes over the wire.

`python -m benchmarks.live --video=../shared/media/yes.mkv` exports the pages of `strided` and of the fusion
and plays a video's frames at 640×480: as fast as a page takes them, once as footage (faces are followed) and
once with detection in each frame; then as a camera of 30 and of 60 frames per second.
"""

import base64
import gzip
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
from absl import flags

from benchmarks.browser import (
    browser,
    camera_flags,
    export_page,
    read_frames,
    serve,
    wait_until_loaded,
    write_y4m,
)
from benchmarks.harness import markdown_row, run
from fsanet_tf.networks.pretrained import DEFAULT

SIZE = (640, 480)
PAGES = {
    DEFAULT: (DEFAULT,),
    "fusion": ("1x1", "fusion"),
}  # the networks that are measured, by exported network
CAMERA_S = 8
RUN = """async ({ frames, count, network, live }) => {
  const api = await import("./headpose.js");
  const headpose = await api.load({ network });
  const bitmaps = await Promise.all(frames.map(async (jpeg) => createImageBitmap(
    new Blob([Uint8Array.from(atob(jpeg), (c) => c.charCodeAt(0))], { type: "image/jpeg" }))));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [640, 480];
  const context = canvas.getContext("2d");
  const times = [];
  for (let i = -30; i < count; i++) {
    const start = performance.now();
    const faces = await headpose.predict(bitmaps[(i + 30) % bitmaps.length], { live });
    const predicted = performance.now();
    context.clearRect(0, 0, 640, 480);
    headpose.draw(context, faces);
    const end = performance.now();
    if (i >= 0) times.push({ ...headpose.timings, draw: end - predicted, all: end - start });
  }
  headpose.release();
  return times;
}"""


def play(page: Any, frames: list[str], network: str, live: bool) -> None:
    """Measure the stages of a network and print them as a row of a table."""
    count = flags.FLAGS.count
    times = page.evaluate(RUN, {"frames": frames, "count": count, "network": network, "live": live})
    stages = {name: statistics.median(row[name] for row in times) for name in times[0]}
    rate = 1000 / statistics.mean(row["all"] for row in times)
    detection = statistics.mean(row["detect"] for row in times)
    cells = [stages["grab"], detection, stages["pose"], stages["draw"], stages["all"]]
    how = "footage" if live else "full detection"
    print(markdown_row(network, how, *(f"{cell:.1f}" for cell in (*cells, rate))), flush=True)


def measure_camera(port: int, clip: Path, network: str) -> float:
    """Return the frames per second that the page shows for a camera."""
    with browser("--use-fake-ui-for-media-stream", *camera_flags(clip)) as chromium:
        page = chromium.new_page(viewport={"width": 1100, "height": 800})
        page.goto(f"http://127.0.0.1:{port}")
        wait_until_loaded(page)
        page.locator("#network").select_option(network)
        page.wait_for_timeout(2000)
        page.locator("#camera").click()
        page.wait_for_timeout(1000 * CAMERA_S)
        return float(page.locator("#rate").inner_text().split()[0])


def print_bytes(folder: Path) -> None:
    """Print what a visitor downloads: everything but the networks, and each network."""
    networks = folder / "networks"
    shared = [p for p in folder.rglob("*") if p.is_file() and p.parent != networks]
    shared = [p for p in shared if p.name not in ("card.json", "LICENSE")] + [networks / "yunet.onnx"]
    runtime = [p for p in shared if p.parent.name == "runtime"]
    page = [p for p in shared if p not in runtime]
    chosen = [p for p in networks.glob("*.onnx") if p.stem != "yunet"]
    for name, files in (("runtime", runtime), ("page and YuNet", page), *((p.stem, [p]) for p in chosen)):
        raw = sum(p.stat().st_size for p in files)
        packed = sum(len(gzip.compress(p.read_bytes())) for p in files)
        print(markdown_row(name, f"{raw / 1e6:.2f} MB", f"{packed / 1e6:.2f} MB"))


def measure(folder: Path, networks: Sequence[str], frames: list[str], clips: Mapping[int, Path]) -> None:
    """Print what a page downloads, its times per frame, and the frames per second of cameras."""
    print_bytes(folder)
    with serve(folder) as port:
        with browser() as chromium:
            page = chromium.new_page()
            page.goto(f"http://127.0.0.1:{port}")
            wait_until_loaded(page)
            print("| network | frames | grab | detect (mean) | pose | draw | all | frames/s |")
            for network in networks:
                for live in (True, False):
                    play(page, frames, network, live)
        for network in networks:
            for fps, clip in clips.items():
                rate = measure_camera(port, clip, network)
                print(f"{network}: a camera of {fps} frames/s: {rate:.0f} frames/s", flush=True)


def main() -> None:
    given = flags.FLAGS
    frames = read_frames(Path(given.video), 60, SIZE)
    encoded = [base64.b64encode(cv2.imencode(".jpg", f)[1].tobytes()).decode() for f in frames]
    with tempfile.TemporaryDirectory() as name:
        clips = {fps: Path(name) / f"{fps}.y4m" for fps in (30, 60)}
        for fps, clip in clips.items():
            write_y4m(clip, frames, fps)
        for exported, networks in PAGES.items():
            measure(export_page(exported, Path(name) / exported), networks, encoded, clips)


if __name__ == "__main__":
    flags.DEFINE_string("video", "../shared/media/yes.mkv", "Footage with a face.")
    flags.DEFINE_integer("count", 300, "Timed frames.", 1)
    run(main)
