"""Face detectors behind one small interface: a BGR frame in, boxes and scores out."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fsanet_tf.errors import InputError

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


class Detection(NamedTuple):
    """A face as a detector gives it.

    Attributes:
        box: left, top, right, bottom in pixels; it may leave the frame.
        score: in [0, 1].
        landmark_box: where the box around its landmarks would be, from which networks are trained to
            crop; None: the same as `box`.
    """

    box: Box
    score: float
    landmark_box: Box | None = None


Detector = Callable[[np.ndarray], list[Detection]]

ASSET_DIR_VARIABLE = "FSANET_DETECTORS"
ASSETS = {
    "yunet": ("face_detection_yunet*.onnx",),
    "ssd": ("opencv_face_detector_uint8.pb", "opencv_face_detector.pbtxt"),
    "lbp": ("lbpcascade_frontalface_improved.xml",),
}
MIN_SCORE = 0.5

# Landmark boxes beside detector boxes, medians by `python -m benchmarks.detector_boxes`: their side as a
# share of the detector's, and how far down their centre lies, as a share of the detector's side.
LANDMARK_SIDE = {"yunet": 0.74, "mtcnn": 0.77, "ssd": 0.74, "haar": 0.79, "lbp": 1.22}
LANDMARK_DROP = 0.12


def asset_dirs() -> list[Path]:
    """Where detector files are looked for: the environment variable, the cache, Debian's `opencv-data`."""
    named = os.environ.get(ASSET_DIR_VARIABLE)
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "fsanet_tf"
    return [*([Path(named)] if named else []), cache, Path("/usr/share/opencv4/lbpcascades")]


def find_assets(name: str) -> list[str]:
    """Paths of a detector's files.

    Raises:
        InputError: one of them stands in none of the folders.
    """
    found = []
    for pattern in ASSETS[name]:
        matches = [match for folder in asset_dirs() for match in sorted(folder.glob(pattern))]
        if not matches:
            raise InputError(
                f"detector {name}: no {pattern} in {', '.join(map(str, asset_dirs()))}; "
                f"put it there or name its folder in {ASSET_DIR_VARIABLE}"
            )
        found.append(str(matches[0]))
    return found


def yunet() -> Detector:
    """YuNet (Wu et al., 2023), OpenCV's own small network."""
    network = cv2.FaceDetectorYN.create(find_assets("yunet")[0], "", (0, 0), 0.6)

    def detect(frame: np.ndarray) -> list[Detection]:
        network.setInputSize((frame.shape[1], frame.shape[0]))
        _, faces = network.detect(frame)
        return [
            Detection((x, y, x + w, y + h), float(score))
            for x, y, w, h, *_, score in ([] if faces is None else faces.tolist())
        ]

    return detect


def ssd() -> Detector:
    """OpenCV's SSD face detector, in its TensorFlow form."""
    network = cv2.dnn.readNetFromTensorflow(*find_assets("ssd"))

    def detect(frame: np.ndarray) -> list[Detection]:
        height, width = frame.shape[:2]
        network.setInput(cv2.dnn.blobFromImage(frame, 1.0, (300, 300), (104, 177, 123)))
        size = np.array([width, height, width, height])
        return [
            Detection(tuple((row[3:7] * size).tolist()), float(row[2]))
            for row in network.forward()[0, 0]
            if row[2] > MIN_SCORE
        ]

    return detect


def mtcnn() -> Detector:
    """MTCNN (Zhang et al., 2016); its weights come with its package."""
    from fsanet_tf.command_line import import_tensorflow_quietly

    import_tensorflow_quietly()
    from mtcnn import MTCNN

    network = MTCNN()

    def detect(frame: np.ndarray) -> list[Detection]:
        faces = network.detect_faces(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)) or []
        corners = ((*face["box"], float(face["confidence"])) for face in faces)
        return [Detection((x, y, x + w, y + h), score) for x, y, w, h, score in corners if score > MIN_SCORE]

    return detect


def haar() -> Detector:
    """OpenCV's Haar cascade, which its wheel carries."""
    return _cascade(str(Path(cv2.__file__).parent / "data/haarcascade_frontalface_default.xml"))


def lbp() -> Detector:
    """The original demo's LBP cascade."""
    return _cascade(find_assets("lbp")[0])


def _cascade(path: str) -> Detector:
    cascade = cv2.CascadeClassifier(path)
    if cascade.empty():
        raise InputError(f"{path}: expected a cascade of OpenCV, could not read it")

    def detect(frame: np.ndarray) -> list[Detection]:
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        boxes = cascade.detectMultiScale(grey, 1.1, 5, minSize=(24, 24))
        return [Detection((x, y, x + w, y + h), 1.0) for x, y, w, h in np.asarray(boxes).tolist()]

    return detect


# From best to last resort: `auto` takes the first whose files are present.
DETECTORS: dict[str, Callable[[], Detector]] = {
    "yunet": yunet,
    "mtcnn": mtcnn,
    "ssd": ssd,
    "haar": haar,
    "lbp": lbp,
}


def make_detector(name: str = "auto") -> Detector:
    """A detector by its name in `DETECTORS`, or `auto`.

    Raises:
        InputError: no such detector, or its files are missing; the line says where they belong.
    """
    if name == "auto":
        name = next(candidate for candidate in DETECTORS if _is_present(candidate))
    if name not in DETECTORS:
        raise InputError(f"detector must be auto or one of {', '.join(DETECTORS)}, received {name}")
    detect = DETECTORS[name]()

    def detect_with_landmark_boxes(frame: np.ndarray) -> list[Detection]:
        return [
            face._replace(landmark_box=_landmark_box(face.box, LANDMARK_SIDE[name])) for face in detect(frame)
        ]

    return detect_with_landmark_boxes


def _is_present(name: str) -> bool:
    try:
        return name not in ASSETS or bool(find_assets(name))
    except InputError:
        return False


def _landmark_box(box: Box, share: float) -> Box:
    left, top, right, bottom = box
    side = max(right - left, bottom - top)
    centre_x, centre_y = (left + right) / 2, (top + bottom) / 2 + LANDMARK_DROP * side
    half = side * share / 2
    return centre_x - half, centre_y - half, centre_x + half, centre_y + half
