"""Face detectors behind one small interface: a BGR frame in, boxes and scores out."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.fetch import fetch
from fsanet_tf.quiet import import_tensorflow_quietly, silent_output

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


class Detection(NamedTuple):
    """A face as a detector gives it.

    Attributes:
        box: left, top, right, bottom in pixels; it may leave the frame.
        score: in [0, 1].
        landmark_box: where the box around its landmarks would be, from which networks are trained to
            crop; None: the same as `box`.
        track: number of the face in a video; None: not tracked.
    """

    box: Box
    score: float
    landmark_box: Box | None = None
    track: int | None = None


Detector = Callable[[np.ndarray], list[Detection]]

ASSET_DIR_VARIABLE = "FSANET_DETECTORS"
DEBIAN_DIR = Path("/usr/share/opencv4/lbpcascades")  # of the package opencv-data


@dataclasses.dataclass(frozen=True)
class Asset:
    """A file that a detector needs.

    Attributes:
        pattern: names that are taken.
        url: where one is fetched from; its SHA-256 is pinned.
        sha256: hexadecimal digits.
    """

    pattern: str
    url: str
    sha256: str


ASSETS = {
    "yunet": (
        Asset(
            "face_detection_yunet*.onnx",
            "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/"
            "face_detection_yunet_2026may.onnx",
            "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
        ),
    ),
    "ssd": (
        Asset(
            "opencv_face_detector_uint8.pb",
            "https://raw.githubusercontent.com/opencv/opencv_3rdparty/"
            "dnn_samples_face_detector_20180220_uint8/opencv_face_detector_uint8.pb",
            "5c71d752ef2cbf2f457ac82fdd580fcb2522fd04c5efdaed18eb6d9e2843fbed",
        ),
        Asset(
            "opencv_face_detector.pbtxt",
            "https://raw.githubusercontent.com/opencv/opencv_extra/4.x/testdata/dnn/opencv_face_detector.pbtxt",
            "5397808362fc6fb7c4044484848e297b22449d913a267fa7f8bd9d86dce29144",
        ),
    ),
    "lbp": (
        Asset(
            "lbpcascade_frontalface_improved.xml",
            "https://raw.githubusercontent.com/opencv/opencv/4.x/data/lbpcascades/"
            "lbpcascade_frontalface_improved.xml",
            "0140e887d150411f06932af5c6170d0e82339fc286ad1668ef2a9d77bab1e3f9",
        ),
    ),
}
CAFFE_SSD = ("deploy.prototxt", "res10_300x300_ssd_iter_140000*.caffemodel")  # the original demo's files
MIN_SCORE = 0.5

# Landmark boxes beside detector boxes, medians by `python -m benchmarks.detector_boxes`: their side as a
# share of the detector's, and how far down their centre lies, as a share of the detector's side.
LANDMARK_SIDE = {"yunet": 0.74, "mtcnn": 0.77, "ssd": 0.74, "haar": 0.79, "lbp": 1.22}
LANDMARK_DROP = 0.12


def cache_dir() -> Path:
    """Where fetched files are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "fsanet_tf"


def asset_dirs() -> list[Path]:
    """Where detector files are looked for: the environment variable, the cache, Debian's `opencv-data`."""
    named = os.environ.get(ASSET_DIR_VARIABLE)
    return [*([Path(named)] if named else []), cache_dir(), DEBIAN_DIR]


def find_file(pattern: str) -> str | None:
    """The first file of that name in `asset_dirs`, or None."""
    matches = (match for folder in asset_dirs() for match in sorted(folder.glob(pattern)))
    return next(map(str, matches), None)


def require_assets(name: str) -> list[str]:
    """Paths of a detector's files; a missing one is fetched into the cache.

    Raises:
        InputError: one of them stands in none of the folders and cannot be fetched.
    """
    found = []
    for asset in ASSETS[name]:
        path = find_file(asset.pattern)
        if path is None:
            try:
                path = str(fetch(asset.url, cache_dir() / Path(asset.url).name, asset.sha256))
            except InputError as error:
                raise InputError(
                    f"detector {name}: no {asset.pattern} in {', '.join(map(str, asset_dirs()))}; put it "
                    f"there or name its folder in {ASSET_DIR_VARIABLE} ({error})"
                ) from error
        found.append(path)
    return found


def yunet() -> Detector:
    """YuNet (Wu et al., 2023), OpenCV's own small network."""
    network = cv2.FaceDetectorYN.create(require_assets("yunet")[0], "", (0, 0), 0.6)

    def detect(frame: np.ndarray) -> list[Detection]:
        network.setInputSize((frame.shape[1], frame.shape[0]))
        _, faces = network.detect(frame)
        return [
            Detection((x, y, x + w, y + h), float(score))
            for x, y, w, h, *_, score in ([] if faces is None else faces.tolist())
        ]

    return detect


def ssd() -> Detector:
    """OpenCV's SSD face detector: in the original demo's Caffe form where that is present and OpenCV reads
    it, else in its TensorFlow form."""
    caffe = [path for path in map(find_file, CAFFE_SSD) if path]
    if len(caffe) == len(CAFFE_SSD) and hasattr(cv2.dnn, "readNetFromCaffe"):
        network = cv2.dnn.readNetFromCaffe(*caffe)
    else:
        network = cv2.dnn.readNetFromTensorflow(*require_assets("ssd"))

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
    network = load_mtcnn()

    def detect(frame: np.ndarray) -> list[Detection]:
        faces = network.detect_faces(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)) or []
        corners = ((*face["box"], float(face["confidence"])) for face in faces)
        return [Detection((x, y, x + w, y + h), score) for x, y, w, h, score in corners if score > MIN_SCORE]

    return detect


def load_mtcnn():
    """The network of the package `mtcnn`, with its weights."""
    import_tensorflow_quietly()
    from mtcnn import MTCNN

    with silent_output():  # lz4, which reads its weights, complains under Python 3.13
        return MTCNN()


def haar() -> Detector:
    """OpenCV's Haar cascade, which its wheel carries."""
    return _cascade(str(Path(cv2.__file__).parent / "data/haarcascade_frontalface_default.xml"))


def lbp() -> Detector:
    """The original demo's LBP cascade."""
    return _cascade(require_assets("lbp")[0])


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
    return all(find_file(asset.pattern) for asset in ASSETS.get(name, ()))


def _landmark_box(box: Box, share: float) -> Box:
    left, top, right, bottom = box
    side = max(right - left, bottom - top)
    centre_x, centre_y = (left + right) / 2, (top + bottom) / 2 + LANDMARK_DROP * side
    half = side * share / 2
    return centre_x - half, centre_y - half, centre_x + half, centre_y + half
