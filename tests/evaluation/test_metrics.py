"""The numbers that a researcher reads: the paper's, from the released weights, by the command."""

import dataclasses
import json
import re

import cv2
import numpy as np
import pytest

import fsanet_tf
from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.data.preprocessing.crops import preprocess
from fsanet_tf.data.preprocessing.landmark_pairs import LandmarkPairsConfig
from fsanet_tf.evaluation.config import EvaluationConfig
from fsanet_tf.evaluation.evaluate import evaluate
from fsanet_tf.evaluation.metrics import format_table, measure, measure_by_yaw
from fsanet_tf.networks.card import NetworkCard
from tests.conftest import assert_one_clear_line, run_fsanet

CAPSULE = ("fsanet_capsule_3_16_2_21_5", "fsanet_var_capsule_3_16_2_21_5", "fsanet_noS_capsule_3_16_2_192_5")


# By this package on every 20th photo: network, with mirrored crops, MAE, geodesic error.
FIGURES_OF_100 = (("var", False, 3.88, 6.95), ("fusion", False, 3.75, 6.79), ("fusion", True, 3.74, 6.78))

# Of all photos, in the README and on the page of accuracy.
FIGURES = (
    ("strided", 3.15, 5.33),
    ("strided_int8", 3.16, 5.35),
    ("1x1", 3.58, 6.03),
    ("var", 3.60, 5.96),
    ("fusion", 3.43, 5.76),
)


def test_measure_by_hand():
    true = np.zeros((2, 3))
    errors = measure(np.array([[10.0, 0, 0], [0, -20, 0]]), true)
    assert (errors.images, errors.yaw, errors.pitch, errors.roll, errors.mae) == (2, 5, 10, 0, 5)
    assert errors.geodesic == pytest.approx(15)
    assert errors.maev == pytest.approx(10)  # two of three axes turn


def test_ranges_of_yaw_share_out_the_faces():
    true = np.array([[0.0, 0, 0], [-29.9, 0, 0], [30, 0, 0], [-98, 0, 0]])
    rows = measure_by_yaw(true + 1, true)
    assert {name: row.images for name, row in rows.items()} == {"0-30": 2, "30-60": 1, "60-99": 1}
    assert "60-99" in format_table(rows)


def print_table(weights, data, *more):
    result = run_fsanet("evaluate", f"--network={','.join(map(str, weights))}", f"--data={data}", *more)
    assert result.returncode == 0, result.stderr
    return result.stdout


TABLE = {
    CAPSULE[:1]: (4.81, 6.18, 4.75, 5.25),
    CAPSULE[1:2]: (4.95, 6.33, 4.77, 5.35),
    CAPSULE[2:]: (5.26, 6.70, 5.28, 5.75),
    CAPSULE: (4.50, 6.07, 4.64, 5.07),
    ("fsanet_metric_3_16_2_21_5",): (None, None, None, 5.47),
    ("fsanet_var_metric_3_16_2_21_5",): (None, None, None, 5.39),
    ("fsanet_noS_metric_3_16_2_192_5",): (None, None, None, 5.53),
    ("fsanet_netvlad_3_16_2_21_5",): (None, None, None, 5.56),
    ("ssrnet_mt",): (None, None, None, 6.00),
}


@pytest.mark.parametrize("names", TABLE)
def test_the_originals_outputs_give_the_papers_table(names, reference, aflw2000):
    """Ours equal them (`test_models.py`), so that ours give it too."""
    data, golden = load_dataset(aflw2000), np.load(reference / "golden/aflw2000_outputs.npz")
    rows = data.rows_within(99)
    assert len(rows) == 1969
    errors = measure(np.mean([golden[name][rows] for name in names], axis=0), data.poses[rows])
    for value, wanted in zip((errors.yaw, errors.pitch, errors.roll, errors.mae), TABLE[names]):
        assert wanted is None or abs(value - wanted) < 0.0101


@pytest.mark.parametrize("data", ["first64", pytest.param("aflw2000", marks=pytest.mark.slow)])
def test_the_command_prints_the_papers_table(data, released, reference, request):
    path, golden = request.getfixturevalue(data), np.load(reference / "golden/aflw2000_outputs.npz")
    faces = load_dataset(path)
    rows = faces.rows_within(99)
    errors = measure(np.mean([golden[name][rows] for name in CAPSULE], axis=0), faces.poses[rows])
    output = print_table([released / f"{name}.h5" for name in CAPSULE], path)
    assert f"{len(rows)} images within ±99°, {len(faces) - len(rows)} left out" in output
    row = re.search(rf"all +{len(rows)} +(\S+) +(\S+) +(\S+) +(\S+)", output)
    for value, wanted in zip(row.groups(), (errors.yaw, errors.pitch, errors.roll, errors.mae)):
        assert float(value) == pytest.approx(wanted, abs=0.0101), output


def test_report_and_figures(released, first64, tmp_path):
    print_table([released / "ssrnet_mt.h5"], first64, f"--output_dir={tmp_path / 'out'}", "--max_angle_deg=0")
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["errors_deg"]["all"]["images"] == 64 and report["images_left_out"] == 0
    assert report["network"][0]["sha256"][0].startswith("1016ae85")
    for name in ("error_against_yaw", "cumulative_error", "worst_faces"):
        picture = cv2.imread(str(tmp_path / f"out/{name}.png"))
        assert picture is not None and picture.std() > 10


def test_other_crops_than_the_network_wants_are_noted(aflw2000):
    output = print_table(["1x1"], aflw2000)
    assert (
        f"contains {fsanet_tf.CropRule(0.6)}; 1x1 expects {fsanet_tf.load_network('1x1').card.crop}" in output
    )
    assert float(re.search(r"all +1969.* (\S+) +\S+ +\S+\n", output)[1]) == pytest.approx(4.52, abs=0.01)


def test_a_prediction_that_is_not_finite_is_an_error(tmp_path, first64):
    from fsanet_tf.networks.keras_files import save_model
    from tests.small_networks import pooled

    model = pooled()
    model.layers[-1].bias.assign([np.nan] * 3)
    save_model(tmp_path / "nan.keras", model, NetworkCard())
    result = run_fsanet("evaluate", f"--network={tmp_path / 'nan.keras'}", f"--data={first64}")
    assert_one_clear_line(result, "nan.keras: expected finite outputs, received pose [nan nan nan]")


def tight_crops(source, output):
    """AFLW2000 as the shipped networks expect its faces."""
    crop = dataclasses.asdict(fsanet_tf.load_network("fusion").card.crop)
    preprocess(LandmarkPairsConfig(source, output, **crop))
    return str(output)


def test_the_shipped_networks_have_their_accuracy_on_100_photos(reference, tmp_path):
    (tmp_path / "photos").mkdir()
    for photo in sorted((reference / "data/AFLW2000").glob("*.jpg"))[::20]:
        for path in (photo, photo.with_suffix(".mat")):
            (tmp_path / "photos" / path.name).symlink_to(path)
    data = tight_crops(tmp_path / "photos", tmp_path / "tight.npz")
    for name, mirror, mae, geodesic in FIGURES_OF_100:
        errors = evaluate(EvaluationConfig(network=name, data=data, mirror=mirror)).errors_deg["all"]
        assert (errors.mae, errors.geodesic) == pytest.approx((mae, geodesic), abs=0.01)


@pytest.mark.slow
def test_the_shipped_networks_have_the_accuracy_that_the_readme_says(reference, tmp_path):
    data = tight_crops(reference / "data/AFLW2000", tmp_path / "tight.npz")
    for name, mae, geodesic in FIGURES:
        errors = evaluate(EvaluationConfig(network=name, data=data)).errors_deg["all"]
        assert (errors.mae, errors.geodesic) == pytest.approx((mae, geodesic), abs=0.01)
    mirrored = evaluate(EvaluationConfig(network="fusion", data=data, mirror=True)).errors_deg["all"]
    assert mirrored.mae == pytest.approx(3.39, abs=0.01)
