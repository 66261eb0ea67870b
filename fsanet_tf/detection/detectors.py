"""Face detectors behind one interface: a BGR frame in, boxes and scores out."""

import dataclasses
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fsanet_tf.detection.assets import Asset, find_file, require_assets, try_download
from fsanet_tf.detection.detection import Box, Detection, Detector
from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.geometry.crop import require_bgr
from fsanet_tf.parallel import DEFAULT_THREADS, Pool, Slots
from fsanet_tf.registry import Registry

__all__ = ["DetectorKind", "list_detectors", "make_detector"]

YUNET_ASSETS = (
    Asset(
        "face_detection_yunet*.onnx",
        "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/"
        "face_detection_yunet_2026may.onnx",
        "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0",
    ),
)
SSD_ASSETS = (
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
)
LBP_ASSETS = (
    Asset(
        "lbpcascade_frontalface_improved.xml",
        "https://raw.githubusercontent.com/opencv/opencv/4.x/data/lbpcascades/"
        "lbpcascade_frontalface_improved.xml",
        "0140e887d150411f06932af5c6170d0e82339fc286ad1668ef2a9d77bab1e3f9",
    ),
)
CAFFE_SSD = ("deploy.prototxt", "res10_300x300_ssd_iter_140000*.caffemodel")  # the original demo's files
MIN_SCORE = 0.5
YUNET_MIN_SCORE = 0.6
YUNET_NMS = 0.3  # OpenCV's defaults
YUNET_TOP_K = 5000
YUNET_STRIDES, YUNET_DIVISOR = (8, 16, 32), 32  # of the network itself

# How far below the detector box's center the landmark box's lies, as a share of the detector box's side.
LANDMARK_DROP = 0.12
DOWNLOAD_PATIENCE_S = 6.0


def make_yunet() -> Detector:
    """Build YuNet (Wu et al., 2023), OpenCV's own small network."""
    file = require_assets("yunet", YUNET_ASSETS)[0]
    network = cv2.FaceDetectorYN.create(file, "", (0, 0), YUNET_MIN_SCORE, YUNET_NMS, YUNET_TOP_K)

    def detect(frame: np.ndarray) -> list[Detection]:
        network.setInputSize((frame.shape[1], frame.shape[0]))
        _, faces = network.detect(frame)
        return [
            Detection((x, y, x + w, y + h), float(score))
            for x, y, w, h, *_, score in ([] if faces is None else faces.tolist())
        ]

    return detect


def make_ssd() -> Detector:
    """Build OpenCV's SSD face detector.

    In the original demo's Caffe form if it is present and OpenCV reads it, else in its TensorFlow form.
    """
    caffe = [path for path in map(find_file, CAFFE_SSD) if path]
    if len(caffe) == len(CAFFE_SSD) and hasattr(cv2.dnn, "readNetFromCaffe"):
        network = cv2.dnn.readNetFromCaffe(*caffe)
    else:
        network = cv2.dnn.readNetFromTensorflow(*require_assets("ssd", SSD_ASSETS))

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


def make_mtcnn() -> Detector:
    """Build MTCNN (Zhang et al., 2016); its weights come with its package."""
    network = load_mtcnn()

    def detect(frame: np.ndarray) -> list[Detection]:
        faces = network.detect_faces(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)) or []
        corners = ((*face["box"], float(face["confidence"])) for face in faces)
        return [Detection((x, y, x + w, y + h), score) for x, y, w, h, score in corners if score > MIN_SCORE]

    return detect


def load_mtcnn() -> Any:
    """Load the network of the package `mtcnn` with its weights.

    Raises:
        MissingExtraError: If the package is not installed.
    """
    with optional_dependencies():
        from mtcnn import MTCNN

    return MTCNN()


def make_haar() -> Detector:
    """Build OpenCV's Haar cascade, which its wheel includes."""
    return _make_cascade(str(Path(cv2.__file__).parent / "data/haarcascade_frontalface_default.xml"))


def make_lbp() -> Detector:
    """Build the original demo's LBP cascade."""
    return _make_cascade(require_assets("lbp", LBP_ASSETS)[0])


def _make_cascade(path: str) -> Detector:
    cascade = cv2.CascadeClassifier(path)
    if cascade.empty():
        raise InputError(f"{path}: expected a cascade of OpenCV, could not read it")

    def detect(frame: np.ndarray) -> list[Detection]:
        gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        boxes = cascade.detectMultiScale(gray, 1.1, 5, minSize=(24, 24))
        return [Detection((x, y, x + w, y + h), 1.0) for x, y, w, h in np.asarray(boxes).tolist()]

    return detect


@dataclasses.dataclass(frozen=True)
class DetectorKind:
    """A detector that can be chosen by name.

    Attributes:
        make: Builds it.
        landmark_side: Side of the landmark box as a share of the detector box's; the median that
            `python -m benchmarks.detector_boxes` measures. None: its detections are taken as they are.
        assets: Files that it needs.
        package: Package that it needs and a plain installation lacks.

    Example:
        >>> def make_whole_frame():
        ...     return lambda frame: [fsanet_tf.Detection((0, 0, frame.shape[1], frame.shape[0]))]
        >>> kind = fsanet_tf.DetectorKind(make_whole_frame, landmark_side=0.8)
        >>> kind.is_present()
        True
    """

    make: Callable[[], Detector]
    landmark_side: float | None = None
    assets: tuple[Asset, ...] = ()
    package: str | None = None

    def is_present(self) -> bool:
        """Return whether its files and its package are on this machine."""
        # The package is looked up, not imported: MTCNN's brings TensorFlow with it.
        return all(find_file(asset.pattern) for asset in self.assets) and (
            self.package is None or find_spec(self.package) is not None
        )


# From best to last resort: `auto` is the first, or the first that is present if that cannot be downloaded.
DETECTORS = Registry(
    "detector",
    {
        "yunet": DetectorKind(make_yunet, 0.74, YUNET_ASSETS),
        "mtcnn": DetectorKind(make_mtcnn, 0.77, package="mtcnn"),
        "ssd": DetectorKind(make_ssd, 0.74, SSD_ASSETS),
        "haar": DetectorKind(make_haar, 0.79),
        "lbp": DetectorKind(make_lbp, 1.22, LBP_ASSETS),
    },
)


def list_detectors() -> list[str]:
    """Return the names that `make_detector` accepts besides `auto`, best first.

    Example:
        >>> fsanet_tf.list_detectors()
        ['yunet', 'mtcnn', 'ssd', 'haar', 'lbp']
    """
    return list(DETECTORS)


def make_detector(name: str = "auto") -> Detector:
    """Build a face detector by name. Any number of threads may share it.

    Args:
        name: One of `list_detectors()`, or `auto`: YuNet, which is downloaded once (230 KB). If it cannot
            be downloaded, the best detector that is present; one line on standard error says which and why.

    Returns:
        A function of a uint8 BGR frame `(height, width, 3)`, which returns a list of `Detection`.

    Raises:
        InputError: If there is no such detector, or a file or package that it needs is missing.

    Example:
        >>> detect = fsanet_tf.make_detector("haar")
        >>> len(detect(fsanet_tf.read_image("astronaut")))
        1
    """
    name = resolve_detector(name)
    if name not in DETECTORS:
        raise InputError(f"detector must be auto or one of {', '.join(DETECTORS)}. Received: {name}")
    kind: DetectorKind = DETECTORS[name]
    pool = Pool(kind.make, Slots(DEFAULT_THREADS))  # no detector may serve two threads at once
    with pool.borrow():
        pass  # one that cannot be built is reported now

    def detect_with_landmark_boxes(frame: np.ndarray) -> list[Detection]:
        require_bgr(frame, "frame")
        with pool.borrow() as detect:
            faces = detect(frame)
        if kind.landmark_side is None:
            return faces
        return [face._replace(landmark_box=_landmark_box(face.box, kind.landmark_side)) for face in faces]

    return detect_with_landmark_boxes


def resolve_detector(name: str) -> str:
    """Return the detector that `auto` stands for, another name as it is; say so if it is not the best."""
    if name != "auto":
        return name
    best, *others = DETECTORS
    if DETECTORS[best].is_present():
        return best
    reason = next(filter(None, (try_download(a, DOWNLOAD_PATIENCE_S) for a in DETECTORS[best].assets)), None)
    if reason is None:
        return best
    chosen = next(name for name in others if DETECTORS[name].is_present())
    print(f"detector: {chosen}, since {best} is not present ({reason})", file=sys.stderr)
    return chosen


def _landmark_box(box: Box, share: float) -> Box:
    left, top, right, bottom = box
    side = max(right - left, bottom - top)
    center_x, center_y = (left + right) / 2, (top + bottom) / 2 + LANDMARK_DROP * side
    half = side * share / 2
    return center_x - half, center_y - half, center_x + half, center_y + half
