"""What a network was trained on does not measure it: the held-out faces of its own data do."""

import json

import numpy as np
import pytest

from fsanet_tf.data.dataset import hash_dataset, load_dataset
from fsanet_tf.data.split import split_dataset
from fsanet_tf.evaluation.config import EvaluationConfig
from fsanet_tf.evaluation.evaluate import evaluate
from fsanet_tf.export.config import ExportConfig
from fsanet_tf.export.export import export_model
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import NetworkCard
from fsanet_tf.networks.keras_files import load_model, save_model
from fsanet_tf.networks.network import load_network
from tests.conftest import SHIPPED_CROP, run_fsanet, write_noise_faces

pytestmark = pytest.mark.usefixtures("tiny")
TRAINING = {"validation_fraction": 0.25, "max_angle_deg": 99.0, "validation_data": []}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Networks that say that they were trained on three quarters of a file, in two folds."""
    path = tmp_path_factory.mktemp("held_out")
    for name, count in (("own", 24), ("other", 8)):
        write_noise_faces(path / f"{name}.npz", count)
    data = [{"file": "own.npz", "sha256": hash_dataset(path / "own.npz")}]
    model = build_model("fsanet_noS_metric_tiny", image_size=16)
    for fold in (0, 1):
        about = {"data": data, "training": {**TRAINING, "fold": fold}}
        save_model(path / f"fold{fold}.keras", model, NetworkCard(16, SHIPPED_CROP, about=about))
    return path


def evaluated(folder, networks=("fold0.keras",), data="own.npz", **options):
    paths = tuple(str(folder / name) for name in networks)
    return evaluate(EvaluationConfig(network=paths, data=str(folder / data), **options))


def test_only_held_out_faces_of_its_own_data_are_counted(folder):
    report = evaluated(folder)
    training, held_out = split_dataset(load_dataset(folder / "own.npz"), 99.0, 0.25)
    assert report.parts[0].rows.tolist() == held_out.tolist() and len(held_out) == 6
    assert len(report.predicted_deg) == report.errors_deg["all"].images == 6
    (note,) = report.notes
    assert note.endswith("own.npz: 18 of its 24 faces were trained on; these are the 6 others")
    assert set(training).isdisjoint(report.parts[0].rows)


def test_all_faces_are_counted_if_asked_for_with_a_note(folder):
    report = evaluated(folder, held_out="all")
    assert report.errors_deg["all"].images == 24
    assert report.notes[0].endswith("18 of its 24 faces were trained on, so the errors are too small")


def test_networks_without_a_common_held_out_face_are_said_to_be(folder):
    report = evaluated(folder, ("fold0.keras", "fold1.keras"))
    assert report.errors_deg["all"].images == 24
    assert report.notes[0].endswith(
        "none of its 24 faces is known to be held out from training, so the errors may be too small"
    )


def test_an_exported_network_and_a_mean_know_what_they_were_trained_on(folder):
    """A file of the mean of two networks as well: one of them was trained on these data."""
    own = load_model(folder / "fold0.keras")
    save_model(folder / "other.keras", own, NetworkCard(16, SHIPPED_CROP))
    save_model(folder / "mean.keras", load_model([folder / "other.keras", folder / "fold0.keras"]))
    config = ExportConfig(str(folder / "mean.keras"), str(folder / "out"), "frozen_graph")
    (row,) = export_model(config).files
    assert evaluated(folder, (f"out/{row.file}",)).errors_deg["all"].images == 6
    nested = load_network([load_network([folder / "other.keras", folder / "fold0.keras"])] * 2)
    report = evaluate(EvaluationConfig(network=(nested,), data=str(folder / "own.npz")))
    assert report.errors_deg["all"].images == 6
    np.testing.assert_allclose(
        evaluated(folder, ("mean.keras",)).predicted_deg, report.predicted_deg, atol=1e-3
    )


def test_files_in_different_folders_that_were_trained_on_together(folder, tmp_path):
    """Only the two of them tell how they were split."""
    for name, count in (("a", 24), ("b", 16)):
        write_noise_faces(tmp_path / name / f"{name}.npz", count)
    paths = [str(tmp_path / name / f"{name}.npz") for name in "ab"]
    data = [
        {"file": f"{name}.npz", "sha256": hash_dataset(path)} for name, path in zip("ab", paths, strict=True)
    ]
    card = NetworkCard(16, SHIPPED_CROP, about={"data": data, "training": TRAINING})
    save_model(tmp_path / "net.keras", build_model("fsanet_noS_metric_tiny", image_size=16), card)
    network = str(tmp_path / "net.keras")
    both = evaluate(EvaluationConfig(network=network, data=tuple(paths)))
    _, held_out = split_dataset(load_dataset(paths), 99.0, 0.25)
    rows = [*both.parts[0].rows, *(24 + row for row in both.parts[1].rows)]
    assert rows == held_out.tolist() and len(rows) == 10
    alone = evaluate(EvaluationConfig(network=network, data=paths[0]))
    assert "none of its 24 faces is known to be held out" in alone.notes[0]


def test_what_else_a_card_says_of_data_is_no_error(folder, tmp_path):
    for number, about in enumerate(
        ({"data": "CelebA"}, {"data": ["a.npz"], "training": "long"}, {"members": 3})
    ):
        path = tmp_path / f"{number}.keras"
        card = NetworkCard(16, SHIPPED_CROP, about=about)
        save_model(path, build_model("fsanet_noS_metric_tiny", image_size=16), card)
        report = evaluate(EvaluationConfig(network=str(path), data=str(folder / "own.npz")))
        assert report.errors_deg["all"].images == 24 and not report.notes


def test_other_data_are_counted_whole(folder):
    report = evaluated(folder, data="other.npz")
    assert report.errors_deg["all"].images == 8 and not report.notes


def test_a_comparison_uses_the_held_out_faces_and_the_command_says_so(folder):
    options = ("--network=1x1", "--compare_with=fold0.keras", "--data=own.npz", "--output_dir=out")
    result = run_fsanet("evaluate", *options, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "note: own.npz: 18 of its 24 faces were trained on; these are the 6 others" in result.stdout
    report = json.loads((folder / "out/report.json").read_text(encoding="utf-8"))
    assert report["compared_errors_deg"]["all"]["images"] == 6
    assert any("these are the 6 others" in note for note in report["notes"])
