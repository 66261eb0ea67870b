"""Preprocessing rate against a plain loop in one process, as the original's is.

`python -m benchmarks.preprocessing --input_dir=AFLW2000`
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np
import scipy.io
from absl import flags

from benchmarks.harness import Comparison, compare, elapsed_ms, in_turns, run_benchmark
from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.data.preprocessing.crops import preprocess
from fsanet_tf.data.preprocessing.landmark_pairs import LandmarkPairsConfig, find_faces
from fsanet_tf.io.images import read_image

PLAIN = "plain loop"
OURS = "fsanet preprocess, pixel-equal"


def plain_loop(input_dir: Path) -> np.ndarray:
    """Read every image and label completely, one after the other, as the original does."""
    crops = []
    for path in find_faces(input_dir):
        image = read_image(path)
        labels = scipy.io.loadmat(path.with_suffix(".mat"))
        x, y = labels["pt2d"]
        visible = x > 0
        if np.count_nonzero(y > 0) < np.count_nonzero(visible):
            visible = y > 0
        left, right = int(x[visible].min()), int(x[visible].max())
        top, bottom = int(y[visible].min()), int(y[visible].max())
        width, height = right - left, bottom - top
        x1, y1 = max(int(left - 0.6 * width), 0), max(int(top - 0.6 * height), 0)
        x2 = min(int(right + 0.6 * width), image.shape[1] - 1)
        y2 = min(int(bottom + 0.6 * height), image.shape[0] - 1)
        crops.append(cv2.resize(image[y1:y2, x1:x2], (64, 64)))
    return np.array(crops)


def measure() -> list[Comparison]:
    input_dir = Path(flags.FLAGS.input_dir)
    expected = plain_loop(input_dir)

    def plain() -> list[float]:
        return [1e3 * len(expected) / elapsed_ms(lambda: plain_loop(input_dir))]

    def ours() -> list[float]:
        with tempfile.TemporaryDirectory() as folder:
            config = LandmarkPairsConfig(str(input_dir), f"{folder}/faces.npz")
            rate = 1e3 * len(expected) / elapsed_ms(lambda: preprocess(config))
            np.testing.assert_array_equal(np.asarray(load_dataset(config.output).images), expected)
            return [rate]

    rates = in_turns({PLAIN: plain, OURS: ours}, flags.FLAGS.rounds, warmups=0)
    return [compare("Preprocessing, AFLW2000", "whole data set", "images/s", PLAIN, rates)]


if __name__ == "__main__":
    flags.DEFINE_string("input_dir", None, "Folder of .jpg and .mat pairs.")
    flags.DEFINE_integer("rounds", 3, "Turns of each.", 1)
    flags.mark_flag_as_required("input_dir")
    run_benchmark(measure)
