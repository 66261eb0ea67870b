"""Faces found by `estimate` and by YuNet alone: `python -m benchmarks.detection`.

YuNet alone looks at the whole photo with OpenCV's threshold of 0.6. Faces of AFLW2000, as they are and pasted
in other sizes on a 12-megapixel canvas of soft colors; one core.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
from absl import flags

from benchmarks.detector_boxes import matching_face
from benchmarks.faces import Picture, labeled_pictures
from benchmarks.harness import markdown_row, run
from fsanet_tf.detection.detection import Detection, scaled_box
from fsanet_tf.detection.detectors import DETECTORS, face_box, load_detector_once, make_yunet
from fsanet_tf.geometry.crop import Box
from fsanet_tf.networks.pretrained import DEFAULT
from fsanet_tf.prediction.estimate import FaceFinder
from fsanet_tf.prediction.predictor import PosePredictor

MIN_SCORE = 0.6  # OpenCV's default
CANVAS = (4000, 3000)
SIDES = (16, 20, 28, 40, 80, 200, 600, 1600)
UP_DEG = 25  # pitch from which a face looks up

Find = Callable[[np.ndarray], list[Detection]]


def yunet_alone() -> Find:
    """Build YuNet on the whole photo, its boxes converted to face boxes as everywhere."""
    detect, share = make_yunet(MIN_SCORE), DETECTORS["yunet"].face_side or 1.0

    def find(frame: np.ndarray) -> list[Detection]:
        found = [face._replace(box=face_box(face.box, share)) for face in detect(frame)]
        return sorted(found, key=lambda face: -(face.score or 0))

    return find


def ours(network: str) -> Find:
    """Build the detector that `estimate` amounts to with a network."""
    finder = FaceFinder(PosePredictor(network), load_detector_once("yunet"))
    return lambda frame: [Detection(face.box, face.score) for face in finder.find(frame)]


def pasted(picture: Picture, side: int, rng: np.random.Generator) -> tuple[np.ndarray, Box]:
    """Paste a photo on the canvas, so that its face box has a side in pixels; return both."""
    image, box = picture.image, picture.box
    scale = side / max(box[2] - box[0], box[3] - box[1])
    colors = rng.integers(0, 256, (30, 40, 3), np.uint8)
    canvas = cv2.resize(colors, CANVAS, interpolation=cv2.INTER_CUBIC)
    size = [max(1, round(edge * scale)) for edge in image.shape[1::-1]]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    small = small[: CANVAS[1], : CANVAS[0]]
    left = int(rng.integers(0, CANVAS[0] - small.shape[1] + 1))
    top = int(rng.integers(0, CANVAS[1] - small.shape[0] + 1))
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    x0, y0, x1, y1 = scaled_box(box, scale)
    return canvas, (x0 + left, y0 + top, x1 + left, y1 + top)


def measure(
    ways: dict[str, Find], scenes: Iterable[tuple[np.ndarray, Box, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Return by way a row per scene: found, found first, other boxes, looking up, milliseconds."""
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
    for image, box, pose in scenes:
        for name, find in ways.items():
            start = time.perf_counter()
            found = find(image)
            elapsed_ms = 1e3 * (time.perf_counter() - start)
            face = matching_face(found, np.array(box))
            is_first = bool(found) and found[0] is face
            others = len(found) - (face is not None)
            rows[name].append((face is not None, is_first, others, pose[1] > UP_DEG, elapsed_ms))
    return {name: np.array(values, float) for name, values in rows.items()}


def main() -> None:
    cv2.setNumThreads(1)
    folder = Path(flags.FLAGS.reference) / "data/AFLW2000"
    ways = {
        "YuNet alone": yunet_alone(),
        f"`estimate`, {DEFAULT}": ours(DEFAULT),
        "`estimate`, 1x1": ours("1x1"),
    }
    photos = labeled_pictures(folder, flags.FLAGS.count, "photos")
    print(markdown_row("AFLW2000", "found", "of those who look up", "other boxes"))
    for name, rows in measure(ways, photos).items():
        up = rows[rows[:, 3] > 0]
        print(
            markdown_row(
                name, *(f"{100 * part[:, 0].mean():.2f} %" for part in (rows, up)), f"{rows[:, 2].sum():.0f}"
            )
        )
    del ways["`estimate`, 1x1"]
    columns = [f"{name}: {what}" for name in ways for what in ("right face first", "other boxes", "ms")]
    print(markdown_row("side in 12 megapixels", *columns))
    for side in SIDES:
        rng = np.random.default_rng(side)
        photos = labeled_pictures(folder, flags.FLAGS.pasted, f"{side} pixels")
        scenes = [(*pasted(photo, side, rng), photo.pose_deg) for photo in photos]
        cells = []
        for name, find in ways.items():  # one after the other: each has the caches for itself
            _, first, others, _, elapsed_ms = measure({name: find}, scenes)[name].T
            cells += [f"{100 * first.mean():.0f} %", f"{others.sum():.0f}", f"{np.median(elapsed_ms):.0f}"]
        print(markdown_row(side, *cells), flush=True)


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder of the reference data.")
    flags.DEFINE_integer("count", 2000, "Photos, spread over AFLW2000.", 1)
    flags.DEFINE_integer("pasted", 50, "Photos that are pasted, at each size.", 1)
    run(main)
