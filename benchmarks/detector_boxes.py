"""What detectors' boxes cost beside landmark boxes, on 300W-LP or AFLW2000 pictures.

`python -m benchmarks.detector_boxes --input_dir=AFLW2000 --detector=yunet`

Runs the demo's own path (detector, landmark box estimated from its box, crop, network) on faces of
protocol 1, and prints how the boxes lie, and the error at several margins beside that with landmark
boxes of the same faces.
"""

from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from fsanet_tf.command_line import run
from fsanet_tf.data.dataset import is_moderate
from fsanet_tf.detectors import DETECTORS, Detection, make_detector
from fsanet_tf.evaluation import measure
from fsanet_tf.pictures import read_picture
from fsanet_tf.predictor import PosePredictor
from preprocessing.create_300w_lp import find_faces, read_labels, visible_box

MARGINS = (0.15, 0.22, 0.29, 0.36, 0.45, 0.6)
SAME_FACE = 0.4  # how far the centres may lie apart, as a share of the landmark box's side
UPRIGHT_YAW = 60  # beyond, landmark boxes are narrower than heads


def matching_face(found: list[Detection], landmark_box: np.ndarray) -> Detection | None:
    """The detection about the labelled face, where there is one."""
    side = np.ptp(landmark_box.reshape(2, 2), axis=0).max()
    centre = landmark_box.reshape(2, 2).mean(axis=0)
    for face in found:
        if np.abs(np.array(face.box).reshape(2, 2).mean(axis=0) - centre).max() < SAME_FACE * side:
            return face
    return None


def print_geometry(faces: list[Detection], landmark_boxes: list[np.ndarray]) -> None:
    """How much smaller and lower landmark boxes lie: the figures in `fsanet_tf.detectors`."""
    corners = np.array([face.box for face in faces]).reshape(-1, 2, 2)
    landmarks = np.array(landmark_boxes).reshape(-1, 2, 2)
    sides = np.ptp(corners, axis=1).max(axis=1)
    shares = np.ptp(landmarks, axis=1).max(axis=1) / sides
    drops = (landmarks.mean(axis=1) - corners.mean(axis=1))[:, 1] / sides
    print(f"landmark side {np.median(shares):.2f} of the box's, centre {np.median(drops):.2f} lower")


def main() -> None:
    given = flags.FLAGS
    detect = make_detector(given.detector)
    predictor = PosePredictor(given.model)
    own_margin = predictor.margin_ratio
    paths = find_faces(Path(given.input_dir))
    paths = paths[:: max(1, len(paths) // given.count)]
    faces, boxes, true = [], [], []
    poses: dict[float | None, list] = {margin: [] for margin in (*MARGINS, None)}  # None: landmark boxes
    looked_at = 0
    for path in tqdm(paths, unit="image"):
        points, pose = read_labels(path.with_suffix(".mat"))
        if not is_moderate(pose[None])[0]:
            continue
        looked_at += 1
        image, box = read_picture(path), np.array(visible_box(points))
        face = matching_face(detect(image), box)
        if face is None:
            continue
        faces.append(face)
        boxes.append(box)
        true.append(pose)
        for margin, rows in poses.items():
            predictor.margin_ratio = own_margin if margin is None else margin
            face_box = Detection(tuple(box.tolist()), 1.0) if margin is None else face
            rows.append(predictor.predict(image, [face_box])[0].pose_deg)
    print(f"{given.detector}: {len(faces)} of {looked_at} faces found")
    upright = [i for i, pose in enumerate(true) if abs(pose[0]) <= UPRIGHT_YAW]
    print_geometry([faces[i] for i in upright], [boxes[i] for i in upright])
    for margin, rows in poses.items():
        error = measure(np.array(rows), np.array(true))
        name = "landmark boxes" if margin is None else f"margin {margin}"
        print(f"{name}: MAE {error.mae:.2f}°, geodesic {error.geodesic:.2f}°")


if __name__ == "__main__":
    flags.DEFINE_string("input_dir", None, "Folder of .jpg and .mat pairs.")
    flags.DEFINE_enum("detector", "yunet", list(DETECTORS), "Whose boxes.")
    flags.DEFINE_string("model", "fusion", "Network, as of the demo.")
    flags.DEFINE_integer("count", 2000, "Pictures, spread over the folder.", 1)
    flags.mark_flag_as_required("input_dir")
    run(main)
