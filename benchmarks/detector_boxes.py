"""Accuracy with detectors' boxes compared with landmark boxes, on 300W-LP or AFLW2000.

`python -m benchmarks.detector_boxes --input_dir=AFLW2000 --detector=yunet`

Runs the demo's own path (detector, landmark box estimated from its box, crop, network) on faces of
protocol 1, and prints how the boxes lie, and the error at several margins compared with landmark
boxes of the same faces.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from benchmarks.harness import run
from fsanet_tf.data.preprocessing.landmark_pairs import find_faces, read_labels, visible_box
from fsanet_tf.detection.detectors import DETECTORS, Detection, make_detector
from fsanet_tf.errors import InputError
from fsanet_tf.evaluation.metrics import Errors, measure
from fsanet_tf.geometry.pose import within_angle
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.network import Network, load_network
from fsanet_tf.prediction.predictor import PosePredictor

MARGINS = (0.15, 0.22, 0.29, 0.36, 0.45, 0.6)
SAME_FACE = 0.4  # maximum distance of the centers, as a share of the landmark box's side
SAME_SIZE = 1.6  # maximum ratio of the sides; smaller boxes are on a nose or a mouth
UPRIGHT_YAW = 60  # beyond, landmark boxes are narrower than heads


def matching_face(found: list[Detection], landmark_box: np.ndarray) -> Detection | None:
    """Return the detection of the labeled face, if there is one."""
    center, side = _center_and_side(landmark_box)
    for face in found:
        face_center, face_side = _center_and_side(np.array(face.landmark_box or face.box))
        near = np.abs(face_center - center).max() < SAME_FACE * side
        if near and 1 / SAME_SIZE < face_side / side < SAME_SIZE:
            return face
    return None


def _center_and_side(box: np.ndarray) -> tuple[np.ndarray, float]:
    corners = box.reshape(2, 2)
    return corners.mean(axis=0), float(np.ptp(corners, axis=0).max())


@dataclasses.dataclass
class Matched:
    """The faces within ±99° that a detector found, and their poses.

    Attributes:
        looked_at: Number of images whose face is within ±99°.
        faces: the detections.
        landmark_boxes: the boxes around the labeled landmarks.
        true_deg: the labeled poses.
        poses_deg: by margin, the poses from the detector's boxes; by None, those from landmark boxes.
    """

    looked_at: int
    faces: list[Detection]
    landmark_boxes: list[np.ndarray]
    true_deg: list[np.ndarray]
    poses_deg: dict[float | None, list]

    def errors(self, margin: float | None) -> Errors:
        return measure(np.array(self.poses_deg[margin]), np.array(self.true_deg))


def match_faces(
    input_dir: Path, detector: str, network: Network, margins: Sequence[float], count: int
) -> Matched:
    """Detect and predict on up to `count` images, spread over the folder."""
    detect, paths = make_detector(detector), find_faces(input_dir)
    predictors = {margin: PosePredictor(network, margin) for margin in (*margins, None)}
    matched = Matched(0, [], [], [], {margin: [] for margin in predictors})
    for path in tqdm(paths[:: max(1, len(paths) // count)], unit="image", desc=detector):
        points, pose = read_labels(path.with_suffix(".mat"))
        if not within_angle(pose[None])[0]:
            continue
        matched.looked_at += 1
        image, box = read_image(path), np.array(visible_box(points))
        face = matching_face(detect(image), box)
        if face is None:
            continue
        matched.faces.append(face)
        matched.landmark_boxes.append(box)
        matched.true_deg.append(pose)
        for margin, predictor in predictors.items():
            face_box = Detection(tuple(box.tolist()), 1.0) if margin is None else face
            matched.poses_deg[margin].append(predictor.predict(image, [face_box])[0].pose_deg)
    return matched


def print_geometry(matched: Matched) -> None:
    """How much smaller and lower landmark boxes lie: the figures in `fsanet_tf.detectors`."""
    upright = np.abs(np.array(matched.true_deg)[:, 0]) <= UPRIGHT_YAW
    corners = np.array([face.box for face in matched.faces]).reshape(-1, 2, 2)[upright]
    landmarks = np.array(matched.landmark_boxes).reshape(-1, 2, 2)[upright]
    sides = np.ptp(corners, axis=1).max(axis=1)
    shares = np.ptp(landmarks, axis=1).max(axis=1) / sides
    drops = (landmarks.mean(axis=1) - corners.mean(axis=1))[:, 1] / sides
    print(f"landmark side {np.median(shares):.2f} of the box's, center {np.median(drops):.2f} lower")


def main() -> None:
    given = flags.FLAGS
    network = load_network(given.model)
    matched = match_faces(Path(given.input_dir), given.detector, network, MARGINS, given.count)
    print(f"{given.detector}: {len(matched.faces)} of {matched.looked_at} faces found")
    if not matched.faces:
        raise InputError(f"{given.input_dir}: {given.detector} finds no labeled face")
    print_geometry(matched)
    for margin in matched.poses_deg:
        error = matched.errors(margin)
        name = "landmark boxes" if margin is None else f"margin {margin}"
        print(f"{name}: MAE {error.mae:.2f}°, geodesic {error.geodesic:.2f}°")


if __name__ == "__main__":
    flags.DEFINE_string("input_dir", None, "Folder of .jpg and .mat pairs.")
    flags.DEFINE_enum("detector", "yunet", list(DETECTORS), "Whose boxes.")
    flags.DEFINE_string("model", "fusion", "Network, as of the demo.")
    flags.DEFINE_integer("count", 2000, "Images, spread over the folder.", 1)
    flags.mark_flag_as_required("input_dir")
    run(main)
