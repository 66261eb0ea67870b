"""Two networks on the same faces: interval, tables, pictures; several datasets in one report."""

import csv
import dataclasses
import json

import cv2
import numpy as np
import pytest

import fsanet_tf
from fsanet_tf.data.dataset import FaceDataset, load_dataset, save_dataset
from fsanet_tf.evaluation.config import EvaluationConfig
from fsanet_tf.evaluation.evaluate import evaluate
from fsanet_tf.evaluation.metrics import bootstrap_difference
from fsanet_tf.export.parity import load_samples
from tests.conftest import run_fsanet, write_noise_faces


def test_the_interval_contains_the_difference_and_says_whether_it_is_real(rng):
    base, better, alone = np.abs(rng.normal(0, 3, 500)), np.abs(rng.normal(0, 1, 500)), np.arange(500)
    difference = bootstrap_difference(base, better, alone)
    assert difference.mean_deg == pytest.approx(better.mean() - base.mean())
    assert difference.low_deg < difference.mean_deg < difference.high_deg < 0
    same = bootstrap_difference(base, base, alone)
    assert same.mean_deg == same.low_deg == same.high_deg == 0


def test_the_interval_is_that_of_groups_not_of_faces(rng):
    """A hundred pictures of each of ten persons are ten measurements, not a thousand."""
    by_person = rng.normal(0, 1, 10)
    groups = np.repeat(np.arange(10), 100)
    grouped = bootstrap_difference(np.zeros(1000), by_person[groups], groups)
    single = bootstrap_difference(np.zeros(1000), by_person[groups], np.arange(1000))
    widths = [interval.high_deg - interval.low_deg for interval in (grouped, single)]
    assert widths[0] == pytest.approx(2 * 1.96 * by_person.std() / np.sqrt(10), rel=0.1)
    assert widths[1] == pytest.approx(widths[0] / 10, rel=0.1)


def test_the_report_of_a_mean_and_of_an_object_names_them(tmp_path):
    write_noise_faces(tmp_path / "faces.npz", 6)
    mean = fsanet_tf.load_network(["1x1", "var"])
    evaluate(EvaluationConfig(mean, tmp_path / "faces.npz", output_dir=tmp_path / "out"))
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["network"] == [{"name": "1x1 + var", "sha256": []}]


def test_faces_of_one_group_have_no_interval(rng):
    """One person is one measurement, however many pictures: nothing can be said of others."""
    difference = bootstrap_difference(np.zeros(9), np.ones(9), np.zeros(9, int))
    assert difference.mean_deg == 1 and difference.low_deg is None and difference.high_deg is None
    assert str(difference) == "+1.00° (no interval: all faces are of one group)"


def test_groups_of_different_files_are_different(tmp_path):
    """Each file has the groups a and b, so there are four."""
    for name in ("one", "two"):
        images, groups = np.zeros((4, 64, 64, 3), np.uint8), np.array(["a", "a", "b", "b"])
        save_dataset(
            tmp_path / f"{name}.npz", FaceDataset.from_arrays(images, np.full((4, 3), 5.0), groups=groups)
        )
    data = tuple(str(tmp_path / f"{name}.npz") for name in ("one", "two"))
    report = evaluate(EvaluationConfig(network="1x1", data=data))
    assert report.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert report.difference_deg is None


def test_the_report_compares_on_several_datasets(tmp_path):
    for name in ("a", "b"):
        write_noise_faces(tmp_path / f"{name}.npz", 24)
    options = ("--network=1x1", "--data=a.npz,b.npz", "--compare_with=var", "--output_dir=out")
    result = run_fsanet("evaluate", *options, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = [line.split() for line in result.stdout.splitlines()]
    assert [line[:2] for line in lines if line[0] in ("a", "b", "all")] == 2 * [
        ["all", "48"], ["a", "24"], ["b", "24"],
    ]  # fmt: skip
    assert "var compared with 1x1: MAE " in result.stdout and ", geodesic " in result.stdout
    assert ", resampled over 48 groups" in result.stdout
    folder = tmp_path / "out"
    rows = list(csv.DictReader((folder / "faces.csv").open(encoding="utf-8")))
    assert [row["data"] for row in rows] == 24 * ["a.npz"] + 24 * ["b.npz"]
    for number, network in enumerate(("1x1", "var")):
        alone = evaluate(EvaluationConfig(network=network, data=str(tmp_path / "b.npz")))
        kind = ("predicted", "compared")[number]
        assert float(rows[27][f"yaw_{kind}"]) == pytest.approx(alone.predicted_deg[3, 0], abs=1e-3)
        error = float(rows[27]["geodesic_error" + ("", "_compared")[number]])
        assert error == pytest.approx(alone.geodesic_errors_deg[0][3], abs=1e-3)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    difference = report["difference_deg"]["geodesic"]
    assert difference["low_deg"] <= difference["mean_deg"] <= difference["high_deg"]
    means = [report[kind]["all"]["geodesic"] for kind in ("errors_deg", "compared_errors_deg")]
    assert difference["mean_deg"] == pytest.approx(means[1] - means[0])
    assert report["compare_with"][0]["name"] == "var" and len(report["compare_with"][0]["sha256"][0]) == 64
    assert cv2.imread(str(folder / "comparison.png")).shape[0] > 6 * 208
    assert sorted(path.name for path in folder.iterdir()) == [
        "comparison.png", "cumulative_error.png", "error_against_yaw.png", "faces.csv", "report.json",
        "worst_faces.png",
    ]  # fmt: skip


def test_files_of_one_name_have_rows_of_their_own(tmp_path):
    paths = [tmp_path / name for name in ("a/faces.npz", "b/faces.npz", "all.npz", "c.npz")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        write_noise_faces(path, 4)
    errors = evaluate(EvaluationConfig(network="1x1", data=paths)).errors_deg
    assert errors["all"].images == 16
    assert [errors[name].images for name in (*map(str, paths[:3]), "c")] == [4] * 4


def test_a_loaded_network_is_evaluated_as_its_file_is(tmp_path):
    write_noise_faces(tmp_path / "faces.npz", 8)
    data = str(tmp_path / "faces.npz")
    by_name = evaluate(EvaluationConfig(network="1x1", data=data))
    loaded = evaluate(EvaluationConfig(network=fsanet_tf.load_network("1x1"), data=data))
    np.testing.assert_array_equal(loaded.predicted_deg, by_name.predicted_deg)
    assert loaded.as_json() == by_name.as_json()


def test_errors_against_a_networks_answers_are_said_to_be_that(tmp_path):
    write_noise_faces(tmp_path / "noise.npz", 4)
    data = load_dataset(tmp_path / "noise.npz")
    save_dataset(tmp_path / "faces.npz", dataclasses.replace(data, labeled_by="strided"))
    report = evaluate(EvaluationConfig(network="1x1", data=str(tmp_path / "faces.npz")))
    assert "its poses are answers of the network strided" in report.notes[0]
    samples = load_samples(str(tmp_path / "faces.npz"), 64)  # of an export's comparison
    assert samples.poses is None and samples.origin.endswith("faces.npz, labeled by strided")
