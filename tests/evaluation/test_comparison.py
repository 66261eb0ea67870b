"""Two networks on the same faces: interval, pictures, video; several datasets in one table."""

import csv

import cv2
import numpy as np
import pytest

import fsanet_tf
from fsanet_tf.errors import InputError
from fsanet_tf.evaluation.comparison import compare_reports
from fsanet_tf.evaluation.evaluate import EvaluationReport
from tests.conftest import run_fsanet, write_noise_faces


def report(errors, rng):
    true = rng.uniform(-50, 50, (len(errors), 3))
    return EvaluationReport(("net",), "data", 99, 0, {}, true + np.asarray(errors)[:, None], true)


def test_the_interval_contains_the_difference_and_says_whether_it_is_real(rng):
    base = report(rng.normal(0, 3, 500), np.random.default_rng(1))
    better = report(rng.normal(0, 1, 500), np.random.default_rng(1))
    comparison = compare_reports(base, better)
    assert comparison.low_deg < comparison.difference_deg < comparison.high_deg < 0
    same = compare_reports(base, base)
    assert same.difference_deg == same.low_deg == same.high_deg == 0
    with pytest.raises(InputError, match="expected reports about the same faces"):
        compare_reports(base, report(np.zeros(500), np.random.default_rng(2)))


def test_the_command_compares_on_several_datasets(tmp_path):
    for name in ("a", "b"):
        write_noise_faces(tmp_path / f"{name}.npz", 24)
    result = run_fsanet(
        "evaluate",
        "--weights=1x1",
        "--data=a.npz,b.npz",
        "--compare_with=var",
        "--output_dir=out",
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("var compared with the above: MAE ") == 2
    last = result.stdout.splitlines()[-2:]
    assert [line.split()[:2] for line in last] == [["a", "24"], ["b", "24"]]
    for name in ("a", "b"):
        folder = tmp_path / "out" / name
        rows = list(csv.DictReader((folder / "faces.csv").open()))
        assert len(rows) == 24 and float(rows[0]["geodesic_error"]) > 0
        assert cv2.imread(str(folder / "comparison.png")).shape[1] == 2 * 3 * 160
        assert cv2.VideoCapture(str(folder / "comparison.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 24
    one = fsanet_tf.evaluate("1x1", tmp_path / "a.npz")
    assert float(rows[3]["yaw_predicted"]) == pytest.approx(one.predicted_deg[3, 0], abs=1e-3)
