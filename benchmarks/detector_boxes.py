"""Accuracy with detectors' boxes compared with labeled ones, on 300W-LP or AFLW2000.

`python -m benchmarks.detector_boxes --input_dir=AFLW2000 --detector=yunet`

Runs the demo's own path (detector, face box estimated from its box, crop, network) on faces of protocol 1,
and prints how the boxes lie, and the error at several margins compared with labeled boxes of the same faces.
"""

import dataclasses
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.faces import labeled_pictures
from benchmarks.harness import run
from fsanet_tf.detection.detection import Detection
from fsanet_tf.detection.detectors import DETECTORS, make_detector
from fsanet_tf.errors import InputError
from fsanet_tf.evaluation.metrics import Errors, measure
from fsanet_tf.networks.network import load_network
from fsanet_tf.networks.pretrained import DEFAULT
from fsanet_tf.prediction.predictor import PosePredictor

MARGINS = (0.15, 0.22, 0.29, 0.36, 0.45, 0.6)
LABELED = "labeled boxes"
SAME_FACE = 0.4  # maximum distance of the centers, as a share of the face box's side
SAME_SIZE = 1.6  # maximum ratio of the sides; smaller boxes are on a nose or a mouth
UPRIGHT_YAW = 60  # beyond, face boxes are narrower than heads


def matching_face(found: list[Detection], labeled_box: np.ndarray) -> Detection | None:
    """Return the detection of the labeled face, if there is one."""
    center, side = _center_and_side(labeled_box)
    for face in found:
        face_center, face_side = _center_and_side(np.array(face.box))
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
        labeled_boxes: the boxes around the labeled landmarks.
        true_deg: the labeled poses.
        poses_deg: by predictor, the poses from the detector's boxes; by `LABELED`, those of the first one
            from labeled boxes.
    """

    looked_at: int
    faces: list[Detection]
    labeled_boxes: list[np.ndarray]
    true_deg: list[np.ndarray]
    poses_deg: dict[str, list]

    def errors(self, name: str) -> Errors:
        return measure(np.array(self.poses_deg[name]), np.array(self.true_deg))


def match_faces(input_dir: Path, detector: str, predictors: dict[str, PosePredictor], count: int) -> Matched:
    """Detect and predict on up to `count` images, spread over the folder."""
    detect = make_detector(detector)
    matched = Matched(0, [], [], [], {name: [] for name in (*predictors, LABELED)})
    first = next(iter(predictors.values()))
    for image, box, pose in labeled_pictures(input_dir, count, detector):
        matched.looked_at += 1
        face = matching_face(detect(image), np.array(box))
        if face is None:
            continue
        matched.faces.append(face)
        matched.labeled_boxes.append(np.array(box))
        matched.true_deg.append(pose)
        for name, predictor in predictors.items():
            matched.poses_deg[name].append(predictor.predict(image, [face])[0].pose_deg)
        matched.poses_deg[LABELED].append(first.predict(image, [Detection(box)])[0].pose_deg)
    return matched


def print_geometry(matched: Matched) -> None:
    """Print how much smaller and lower labeled boxes are than found ones: 1 and 0 if the rule is right."""
    upright = np.abs(np.array(matched.true_deg)[:, 0]) <= UPRIGHT_YAW
    corners = np.array([face.box for face in matched.faces]).reshape(-1, 2, 2)[upright]
    landmarks = np.array(matched.labeled_boxes).reshape(-1, 2, 2)[upright]
    sides = np.ptp(corners, axis=1).max(axis=1)
    shares = np.ptp(landmarks, axis=1).max(axis=1) / sides
    drops = (landmarks.mean(axis=1) - corners.mean(axis=1))[:, 1] / sides
    print(f"labeled side {np.median(shares):.2f} of the box's, center {np.median(drops):.2f} lower")


def main() -> None:
    given = flags.FLAGS
    network = load_network(given.network)
    predictors = {
        "own margin": PosePredictor(network),
        "own margin, refined": PosePredictor(network, refine=1),
        **{f"margin {margin}": PosePredictor(network, margin) for margin in MARGINS},
    }
    matched = match_faces(Path(given.input_dir), given.detector, predictors, given.count)
    print(f"{given.detector}: {len(matched.faces)} of {matched.looked_at} faces found")
    if not matched.faces:
        raise InputError(f"{given.input_dir}: {given.detector} finds no labeled face")
    print_geometry(matched)
    for name in matched.poses_deg:
        error = matched.errors(name)
        print(f"{name}: MAE {error.mae:.2f}°, geodesic {error.geodesic:.2f}°")


if __name__ == "__main__":
    flags.DEFINE_string("input_dir", None, "Folder of .jpg and .mat pairs.")
    flags.DEFINE_enum("detector", "yunet", list(DETECTORS), "Whose boxes.")
    flags.DEFINE_string("network", DEFAULT, "Network file or shipped name.")
    flags.DEFINE_integer("count", 2000, "Images, spread over the folder.", 1)
    flags.mark_flag_as_required("input_dir")
    run(main)
