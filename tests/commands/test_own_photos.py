"""The worked example of docs/data.md on rendered heads: photos to a fine-tuned, exported network."""

import csv

import numpy as np
import pytest

from fsanet_tf.data.preprocessing.landmark_pairs import read_labels, visible_box
from fsanet_tf.data.preprocessing.synthetic import SyntheticConfig, synthesize
from fsanet_tf.evaluation.config import EvaluationConfig
from fsanet_tf.evaluation.evaluate import evaluate
from fsanet_tf.networks.network import load_network
from tests.conftest import run_fsanet

NUM_HEADS = 160


def write_table(folder, path):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "left", "top", "right", "bottom", "yaw", "pitch", "roll", "group"))
        for number, labels in enumerate(sorted(folder.glob("*.mat"))):
            points, pose = read_labels(labels)
            writer.writerow((f"heads/{labels.stem}.jpg", *visible_box(points), *pose, f"person{number // 4}"))


@pytest.mark.slow
def test_from_photos_to_a_fine_tuned_exported_network(tmp_path):
    synthesize(SyntheticConfig(tmp_path / "heads", NUM_HEADS))
    write_table(tmp_path / "heads", tmp_path / "faces.csv")

    def fsanet(*arguments):
        result = run_fsanet(*arguments, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        return result.stdout

    assert f"{NUM_HEADS} crops" in fsanet("preprocess", "table", "--table=faces.csv", "--output=own.npz")
    fsanet(
        "train", "--data=own.npz", "--variant=fsanet_var_capsule", "--init_network=var", "--nooriginal",
        "--flip=0.5", "--schedule=cosine", "--learning_rate=1e-3", "--epochs=4", "--output_dir=own",
    )  # fmt: skip
    own = str(tmp_path / "own/final.keras")
    report = evaluate(EvaluationConfig(network="var", compare_with=own, data=str(tmp_path / "own.npz")))
    assert "faces were trained on" in report.notes[0]  # the held-out ones tell whether it has learned
    assert report.compared_errors_deg["all"].mae < 0.9 * report.errors_deg["all"].mae
    fsanet("export", "--network=own/final.keras", "--output_dir=out", "--formats=tflite_float32")
    crops = np.load(tmp_path / "own.npz")["image"][:4].astype(np.float32)
    np.testing.assert_allclose(
        load_network(tmp_path / "out/fsanet_var_capsule_float32.tflite").predict(crops)["pose"],
        load_network(own).predict(crops)["pose"],
        atol=1e-2,
    )
