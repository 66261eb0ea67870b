"""What the live page's shortcuts cost: detection on reduced frames, and boxes kept for some frames.

`python -m benchmarks.live_accuracy --input_dir=AFLW2000 --videos=talk.mp4`
"""

from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.browser import read_frames
from benchmarks.detector_boxes import match_faces
from benchmarks.harness import run
from fsanet_tf.detection.detectors import DETECTORS, DetectorKind, make_detector, make_yunet
from fsanet_tf.export.web import DETECT_EVERY, LIVE_SIDE
from fsanet_tf.geometry.pose import geodesic_errors
from fsanet_tf.prediction.predictor import PosePredictor
from fsanet_tf.registry import register

REDUCED = "yunet_reduced"
register("detector", REDUCED)(DetectorKind(make_yunet, DETECTORS["yunet"].face_side, sides=(LIVE_SIDE,)))


def held_errors(path: Path, predictor: PosePredictor) -> list[list[float]]:
    """Return, by the age of a box in frames, how far the pose is from that of a box of the frame itself."""
    detect, frames = make_detector(REDUCED), read_frames(path, 300)
    found = [detect(frame) for frame in frames]
    errors: list[list[float]] = [[] for _ in range(DETECT_EVERY)]
    for number in range(DETECT_EVERY - 1, len(frames)):
        for age, distances in enumerate(errors):
            now, then = found[number], found[number - age]
            if len(now) == len(then) == 1:
                poses = [
                    np.array([predictor.predict(frames[number], faces)[0].pose_deg]) for faces in (now, then)
                ]
                distances.append(float(geodesic_errors(*poses)[0]))
    return errors


def main() -> None:
    given = flags.FLAGS
    predictor = PosePredictor("fusion")
    for name in ("yunet", REDUCED):
        matched = match_faces(Path(given.input_dir), name, {"its boxes": predictor}, given.count)
        error = matched.errors("its boxes")
        print(
            f"{name}: {len(matched.faces)} of {matched.looked_at} faces, MAE {error.mae:.2f}°, geodesic "
            f"{error.geodesic:.2f}°"
        )
    for video in given.videos:
        ages = held_errors(Path(video), predictor)
        text = ", ".join(
            f"{age} frames old {np.mean(e):.2f}° (95 % below {np.percentile(e, 95):.2f}°)"
            for age, e in enumerate(ages)
            if age
        )
        print(f"{Path(video).name}: {text}")


if __name__ == "__main__":
    flags.DEFINE_string("input_dir", None, "Folder of .jpg and .mat pairs.")
    flags.DEFINE_list("videos", [], "Clips of one person each.")
    flags.DEFINE_integer("count", 2000, "Images, spread over the folder.", 1)
    flags.mark_flag_as_required("input_dir")
    run(main)
