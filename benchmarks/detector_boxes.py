"""How detectors' boxes lie beside landmark boxes, on 300W-LP or AFLW2000 pictures up to 60° of yaw.

`python -m benchmarks.detector_boxes --input_dir=AFLW2000 --detector=yunet`
"""

from pathlib import Path

import cv2
import numpy as np
from absl import flags
from tqdm import tqdm

from fsanet_tf.command_line import run
from fsanet_tf.detectors import DETECTORS
from preprocessing.create_300w_lp import find_faces, read_labels, visible_box


def main() -> None:
    given = flags.FLAGS
    detect = DETECTORS[given.detector]()
    paths = find_faces(Path(given.input_dir))
    shares, drops, looked_at = [], [], 0
    for path in tqdm(paths[:: max(1, len(paths) // given.count)], unit="image"):
        points, pose = read_labels(path.with_suffix(".mat"))
        if abs(pose[0]) > 60:
            continue
        looked_at += 1
        left, top, right, bottom = visible_box(points)
        side, centre = max(right - left, bottom - top), np.array([left + right, top + bottom]) / 2
        for face in detect(cv2.imread(str(path))):
            corners = np.array(face.box).reshape(2, 2)
            if np.abs(corners.mean(axis=0) - centre).max() < 0.4 * side:
                face_side = np.ptp(corners, axis=0).max()
                shares.append(side / face_side)
                drops.append((centre - corners.mean(axis=0))[1] / face_side)
                break
    share, drop = np.median(shares), np.median(drops)
    print(f"{given.detector}: {len(shares)} of {looked_at} faces found")
    print(f"landmark side {share:.2f} of the box's, centre {drop:.2f} lower")


if __name__ == "__main__":
    flags.DEFINE_string("input_dir", None, "Folder of .jpg and .mat pairs.")
    flags.DEFINE_enum("detector", "yunet", list(DETECTORS), "Whose boxes.")
    flags.DEFINE_integer("count", 400, "Pictures, spread over the folder.", 1)
    flags.mark_flag_as_required("input_dir")
    run(main)
