"""Photograph the live page while it follows the face of the packaged photo, in headless Chromium.

`python docs/draw_live.py --output=docs/live.jpg`
"""

import argparse
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.browser import browser, camera_flags, export_page, serve, wait_until_loaded, write_y4m
from fsanet_tf import read_image

SIZE = (640, 480)  # of the camera
FRAMES, RATE = 90, 30
TURN_DEG = 12  # the camera rolls by so much to each side


def write_clip(path: Path) -> None:
    """Write the footage of a camera that rolls to both sides in front of the photo."""
    photo, frames = read_image("astronaut"), []
    for turn in np.sin(2 * np.pi * np.arange(FRAMES) / FRAMES):
        matrix = cv2.getRotationMatrix2D((228.0, 180.0), TURN_DEG * float(turn), 1.5)
        matrix[:, 2] += np.array(SIZE) / 2 - (228.0, 180.0)
        frames.append(
            cv2.warpAffine(photo, matrix, SIZE, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        )
    write_y4m(path, frames, RATE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", default="live.jpg", help="The picture to write.")
    parser.add_argument("--network", default="strided", help="The network of the page.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        clip = Path(name) / "camera.y4m"
        write_clip(clip)
        folder = export_page(given.network, Path(name))
        flags = ("--use-fake-ui-for-media-stream", *camera_flags(clip))
        with serve(folder) as port, browser(*flags) as chromium:
            page = chromium.new_page(viewport={"width": 1100, "height": 680})
            page.goto(f"http://127.0.0.1:{port}")
            wait_until_loaded(page)
            page.locator("#camera").click()
            page.wait_for_timeout(12_000)  # the strip shows ten seconds
            page.screenshot(path=given.output, quality=90, type="jpeg")
    print(f"drawn: {given.output}")


if __name__ == "__main__":
    main()
