"""Face detectors behind one interface: a BGR frame in, face boxes and scores out."""

import dataclasses
import functools
import math
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fsanet_tf.detection.assets import Asset, require_assets, try_download
from fsanet_tf.detection.detection import (
    Detection,
    Detector,
    area,
    intersection,
    move,
    require_detections,
    scaled_box,
)
from fsanet_tf.errors import InputError, optional_dependencies, reason_of
from fsanet_tf.geometry.crop import MAX_COORDINATE, Box, overlaps_image
from fsanet_tf.io.images import as_bgr
from fsanet_tf.parallel import Pool
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
MIN_SCORE = 0.5
YUNET_MIN_SCORE = 0.45  # less than OpenCV's 0.6: `is_face` decides with the network's score
YUNET_NMS = 0.3  # OpenCV's defaults
YUNET_TOP_K = 5000
YUNET_STRIDES, YUNET_DIVISOR = (8, 16, 32), 32  # of the network itself

FACE_DROP = 0.12  # how far the face box's center lies below the detector box's, as a share of its side
DOWNLOAD_PATIENCE_S = 6.0

MIN_FRAME = 64  # pixels; smaller frames are padded: YuNet returns garbage for sides of 32 and less
SMALL_FACE = 96  # pixels; of a larger reduced frame only faces up to this size count
TILE_FACE = 192  # pixels; largest face that tiles, which overlap by as much, look for
CROWD_FACE = 32  # pixels; where the largest reduced frame shows no larger face, there may be many small ones
DUPLICATE = 0.5  # share of the smaller of two boxes that the other covers, if both are one face


def make_yunet(min_score: float = YUNET_MIN_SCORE) -> Detector:
    """Build YuNet (Wu et al., 2023), OpenCV's own small network."""
    file = require_assets("yunet", YUNET_ASSETS)[0]
    network = cv2.FaceDetectorYN.create(file, "", (0, 0), min_score, YUNET_NMS, YUNET_TOP_K)

    def detect(frame: np.ndarray) -> list[Detection]:
        network.setInputSize((frame.shape[1], frame.shape[0]))
        _, faces = network.detect(frame)
        return [
            Detection((x, y, x + w, y + h), float(score))
            for x, y, w, h, *_, score in ([] if faces is None else faces.tolist())
        ]

    return detect


def make_ssd() -> Detector:
    """Build OpenCV's SSD face detector."""
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
        make: Builds it; threads that detect at the same time get one each.
        face_side: Side of the face box as a share of the detector box's; the median that
            `python -m benchmarks.detector_boxes` measures. None: it returns face boxes.
        assets: Files that it needs.
        package: Package that it needs and a plain installation lacks.
        sides: Longest sides in pixels to which larger frames are reduced, ascending: the detector looks for
            faces in the first and for small ones in the others. Empty: frames are never reduced.
        tile: Side in pixels of the tiles in which it looks for small faces at the frame's own size, if the
            reduced frames show none but small ones; None: never.

    Example:
        >>> from fsanet_tf.detection.detectors import DetectorKind
        >>> def make_whole_frame():
        ...     return lambda frame: [fsanet_tf.Detection((0, 0, frame.shape[1], frame.shape[0]))]
        >>> kind = DetectorKind(make_whole_frame, face_side=0.8)
        >>> kind.is_present()
        True
    """

    make: Callable[[], Detector]
    face_side: float | None = None
    assets: tuple[Asset, ...] = ()
    package: str | None = None
    sides: tuple[int, ...] = ()
    tile: int | None = None

    def is_present(self) -> bool:
        """Return whether its files and its package are on this machine."""
        # The package is looked up, not imported: MTCNN's brings TensorFlow with it.
        return all(asset.find() for asset in self.assets) and (
            self.package is None or find_spec(self.package) is not None
        )


# From best to last resort: `auto` is the first, or the first that is present if that cannot be downloaded.
DETECTORS = Registry(
    "detector",
    {
        "yunet": DetectorKind(make_yunet, 0.74, YUNET_ASSETS, sides=(640, 832), tile=2048),
        "mtcnn": DetectorKind(make_mtcnn, 0.77, package="mtcnn", sides=(640,)),
        "ssd": DetectorKind(make_ssd, 0.74, SSD_ASSETS),
        "haar": DetectorKind(make_haar, 0.79, sides=(1024,)),
        "lbp": DetectorKind(make_lbp, 1.22, LBP_ASSETS, sides=(1024,)),
    },
)


def list_detectors() -> list[str]:
    """Return the names that `make_detector` accepts besides `auto`, best first.

    Example:
        >>> fsanet_tf.list_detectors()
        ['yunet', 'mtcnn', 'ssd', 'haar', 'lbp']
    """
    return list(DETECTORS)


def make_detector(detector: str | Detector = "auto") -> Detector:
    """Build a face detector. Any number of threads may share it.

    Large frames are downscaled, small ones padded, and its boxes converted to face boxes. Boxes that are
    not finite, less than a pixel wide or high, or outside the frame, and scores outside [0, 1], are left out
    with a warning.

    Args:
        detector: One of `list_detectors()`; `auto`: YuNet, which is downloaded once (230 KB), or, if the
            download fails, the best available detector, which a line on standard error names; or a function
            of the form of `Detector`, which returns face boxes.

    Returns:
        A function of a uint8 BGR frame `(height, width, 3)`, which returns a list of `Detection`, the highest
        score first.

    Raises:
        InputError: If there is no such detector, or a file or package that it needs is missing.

    Example:
        >>> detect = fsanet_tf.make_detector("haar")
        >>> len(detect(fsanet_tf.read_image("astronaut")))
        1
    """
    if isinstance(detector, str):
        name = resolve_detector(detector)
        thing = DETECTORS[name]
    else:
        name, thing = getattr(detector, "__name__", type(detector).__name__), detector
    kind = thing if isinstance(thing, DetectorKind) else _one_at_a_time(thing)
    pool = Pool(functools.partial(_build, name, kind))
    with pool.borrow():
        pass  # one that cannot be built is reported now

    def detect(frame: np.ndarray) -> list[Detection]:
        frame = as_bgr(frame, "frame")
        with pool.borrow() as own:  # each part as a copy: a detector may draw on it
            found = _detect_at_scales(
                lambda part: require_detections(f"detector {name}", own(part.copy())), frame, kind
            )
        kept = [face for face in found if _is_valid(face, frame.shape)]
        if len(kept) < len(found):
            warnings.warn(
                f"detector {name}: {len(found) - len(kept)} invalid detections left out", stacklevel=2
            )
        if kind.face_side is not None:
            kept = [face._replace(box=face_box(face.box, kind.face_side)) for face in kept]
        return sorted(kept, key=lambda face: -(face.score or 0))

    return detect


_make_named = functools.lru_cache(maxsize=8)(make_detector)


def load_detector_once(detector: str | Detector) -> Detector:
    """Make a detector as `make_detector`; those given by name are kept for the next call."""
    return _make_named(detector) if isinstance(detector, str) else make_detector(detector)


def _build(name: str, kind: DetectorKind) -> Detector:
    """Build a detector for one thread.

    Raises:
        InputError: If it cannot be built.
    """
    try:
        detect = kind.make()
        if not callable(detect):
            raise TypeError(f"expected a function of a frame, received {detect!r}")
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"detector {name}: could not build it ({reason_of(error)})") from error
    return detect


def _one_at_a_time(detector: Detector) -> DetectorKind:
    """Wrap a user's detector, which may not be thread-safe."""
    if not callable(detector):
        raise InputError(f"detector: expected a name or a function of a frame, received {detector!r}")
    lock = threading.Lock()

    def detect(frame: np.ndarray) -> list[Detection]:
        with lock:
            return detector(frame)

    return DetectorKind(lambda: detect)


def _detect_at_scales(detect: Detector, frame: np.ndarray, kind: DetectorKind) -> list[Detection]:
    """Detect on the frame reduced to each side of the kind, and at its own size where faces may be small."""
    longest = max(frame.shape[:2])
    sides = sorted({min(side, longest) for side in kind.sides} or {longest})
    found: list[Detection] = []
    reduced = frame
    for side in reversed(sides):
        scale = side / longest
        reduced = reduce_frame(reduced, side)
        limit = math.inf if side == sides[0] else SMALL_FACE / scale
        faces = [f._replace(box=scaled_box(f.box, 1 / scale)) for f in _detect_padded(detect, reduced)]
        found += [face for face in faces if not _width(face) > limit]
    if kind.tile and longest > sides[-1] and all(_width(f) < CROWD_FACE * longest / sides[-1] for f in found):
        found += [face for face in _detect_in_tiles(detect, frame, kind.tile) if not _width(face) > TILE_FACE]
    return found if len(sides) == 1 else _without_duplicates(found)


def reduce_frame(frame: np.ndarray, side: int) -> np.ndarray:
    """Reduce a frame whose longest side is larger: average in halves, then interpolate, which is faster."""
    scale = side / max(frame.shape[:2])
    if scale >= 1:
        return frame
    height, width = (max(1, round(edge * scale)) for edge in frame.shape[:2])
    while frame.shape[1] >= 2 * width and frame.shape[0] >= 2 * height:
        rows, columns = frame.shape[0] // 2, frame.shape[1] // 2  # without an odd last one: faster by far
        even = frame[: 2 * rows, : 2 * columns]
        frame = cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA)
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)


def _detect_in_tiles(detect: Detector, frame: np.ndarray, tile: int) -> list[Detection]:
    """Detect in tiles that overlap so that each small face lies within one."""
    height, width = frame.shape[:2]
    step = tile - TILE_FACE
    return [
        face._replace(box=move(face.box, (x, y)))
        for y in range(0, max(1, height - TILE_FACE), step)
        for x in range(0, max(1, width - TILE_FACE), step)
        for face in _detect_padded(detect, np.ascontiguousarray(frame[y : y + tile, x : x + tile]))
    ]


def _detect_padded(detect: Detector, frame: np.ndarray) -> list[Detection]:
    """Detect on a frame that is at least `MIN_FRAME` wide and high."""
    height, width = frame.shape[:2]
    x, y = (max(0, MIN_FRAME - side + 1) // 2 for side in (width, height))
    if not (x or y):
        return detect(frame)
    padded = cv2.copyMakeBorder(frame, y, y, x, x, cv2.BORDER_CONSTANT)
    return [face._replace(box=move(face.box, (-x, -y))) for face in detect(padded)]


def _without_duplicates(found: Sequence[Detection]) -> list[Detection]:
    """Keep the highest score of the detections of a face."""
    kept: list[Detection] = []
    for face in sorted(found, key=lambda face: -(face.score or 0)):
        if all(
            intersection(face.box, other.box) <= DUPLICATE * min(map(area, (face.box, other.box)))
            for other in kept
        ):
            kept.append(face)
    return kept


def _width(face: Detection) -> float:
    return face.box[2] - face.box[0]


def _is_valid(face: Detection, frame_shape: tuple[int, ...]) -> bool:
    """Return whether a detection is one of the frame."""
    left, top, right, bottom = face.box
    return (
        all(abs(edge) < MAX_COORDINATE for edge in face.box)  # not for NaN
        and right - left >= 1
        and bottom - top >= 1
        and overlaps_image(face.box, frame_shape)
        and face.score is not None
        and 0 <= face.score <= 1
    )


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


def face_box(box: Box, share: float) -> Box:
    """Convert a detector's box to the face box, whose side is a share of the detector box's."""
    left, top, right, bottom = box
    side = max(right - left, bottom - top)
    center_x, center_y = (left + right) / 2, (top + bottom) / 2 + FACE_DROP * side
    half = side * share / 2
    return center_x - half, center_y - half, center_x + half, center_y + half
