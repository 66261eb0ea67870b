"""Stability of poses when a picture is turned, and from frame to frame of a video.

`python -m benchmarks.stability --network=fusion,1x1 --videos=a.gif,b.gif`

Turned: every picture of AFLW2000 is rotated around its face and cropped by the same box. The prediction
should be the first one, turned as a rotation; the mean distance is printed. Jitter: half the second
difference of each angle over three consecutive frames of a track, without smoothing; its median over frames
is that of a head at rest. It is compared with that of poses from YuNet's box in each frame.
"""

from pathlib import Path

import cv2
import numpy as np
from absl import flags

from benchmarks.faces import labeled_pictures
from benchmarks.harness import run
from fsanet_tf.detection.detection import Detection, overlap
from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.detection.tracking import MIN_OVERLAP
from fsanet_tf.geometry.pose import geodesic_errors, rotate_poses
from fsanet_tf.networks.pretrained import DEFAULT
from fsanet_tf.prediction.predictor import PosePredictor
from fsanet_tf.prediction.track import track

TURNS_DEG = (-30.0, -15.0, 15.0, 30.0)


def turned(image: np.ndarray, center: tuple[float, float], clockwise_deg: float) -> np.ndarray:
    """Rotate an image around a point; what lies outside is the nearest edge."""
    matrix = cv2.getRotationMatrix2D(center, -clockwise_deg, 1.0)
    size = image.shape[1], image.shape[0]
    return cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)


def turn_errors(input_dir: str, predictors: dict[str, PosePredictor], count: int) -> dict[str, np.ndarray]:
    """Return each network's distances `(N, turns)` between predictions of turned and unturned pictures."""
    errors: dict[str, list] = {name: [] for name in predictors}
    for image, box, _ in labeled_pictures(input_dir, count):
        center = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        images = [image, *(turned(image, center, angle) for angle in TURNS_DEG)]
        for name, predictor in predictors.items():
            poses = [predictor.predict(picture, [Detection(box)])[0].pose_deg for picture in images]
            expected = rotate_poses(np.array(poses[:1] * len(TURNS_DEG)), np.array(TURNS_DEG))
            errors[name].append(geodesic_errors(np.array(poses[1:]), expected))
    return {name: np.array(rows) for name, rows in errors.items()}


def followed(video: str, network: str) -> tuple[float, float, float]:
    """Follow the faces of a video, and predict them from the detector's box in each frame as well.

    Returns:
        Median jitter of both in degrees, and the mean absolute difference of their angles in degrees.
    """
    detect, predictor = make_detector("yunet"), PosePredictor(network)
    poses: dict[int | None, list] = {}
    detected: dict[int | None, list] = {}
    for frame in track(video, network, detect):
        found = predictor.predict(frame.image, detect(frame.image))
        for face in frame.faces:
            nearest = max(found, key=lambda other: overlap(other.box, face.box), default=None)
            if nearest and overlap(nearest.box, face.box) >= MIN_OVERLAP:
                poses.setdefault(face.track, []).append(face.pose_deg)
                detected.setdefault(face.track, []).append(nearest.pose_deg)
    differences = [np.abs(np.subtract(poses[number], detected[number])) for number in poses]
    return jitter(poses), jitter(detected), float(np.concatenate(differences).mean())


def jitter(tracks: dict[int | None, list]) -> float:
    """Return the median jitter of tracks in degrees."""
    return float(np.median(np.concatenate([second_differences(track) for track in tracks.values()])))


def second_differences(poses_deg: list) -> np.ndarray:
    """Return half the second differences of a track, mean over the angles; empty for under three frames."""
    return np.abs(np.diff(np.array(poses_deg).reshape(-1, 3), n=2, axis=0)).mean(axis=1) / 2


def main() -> None:
    given = flags.FLAGS
    if given.input_dir:
        predictors = {name: PosePredictor(name) for name in given.network}
        for name, errors in turn_errors(given.input_dir, predictors, given.count).items():
            means = zip(TURNS_DEG, errors.mean(axis=0), strict=True)
            cells = ", ".join(f"{angle:+.0f}° {mean:.2f}°" for angle, mean in means)
            print(f"{name}, turned: {cells}; mean {errors.mean():.2f}°")
    for video in given.videos:
        for name in given.network:
            own, detected, distance = followed(video, name)
            print(
                f"{name}, {Path(video).name}: jitter {own:.3f}°, from the detector's boxes {detected:.3f}° "
                f"({np.divide(own, detected):.2f}); {distance:.2f}° from those"
            )


if __name__ == "__main__":
    flags.DEFINE_list("network", [DEFAULT], "Network files or shipped names, each measured.")
    flags.DEFINE_string("input_dir", None, "Folder of .jpg and .mat pairs; by default none are turned.")
    flags.DEFINE_integer("count", 2000, "Images, spread over the folder.", 1)
    flags.DEFINE_list("videos", [], "Videos to measure the jitter on.")
    run(main)
