"""Training runs: they learn, refuse what does not fit, and say what they did."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from fsanet_tf.data.dataset import FaceDataset, load_dataset, save_dataset
from fsanet_tf.data.split import held_out_rows, split_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.models.build import build_model
from fsanet_tf.models.config import FSANetConfig
from fsanet_tf.networks.card import read_card
from fsanet_tf.networks.keras_files import load_model, save_model
from fsanet_tf.training.config import TrainingConfig
from fsanet_tf.training.run_directory import is_finished
from fsanet_tf.training.trainer import copy_matching_weights, load_training_faces, train
from tests.conftest import assert_one_clear_line, run_fsanet, run_process
from tests.training.runs import TINY_VARIANT, VARIANT, copied_when_killed, save_faces, small

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    return save_faces(tmp_path_factory.mktemp("faces") / "faces.npz")


@pytest.fixture(scope="module")
def finished(faces, tmp_path_factory):
    """The folder of a run that ended; next to it, its copy that a kill leaves."""
    with copied_when_killed():
        return train(run(faces, tmp_path_factory.mktemp("finished"))).parent


def run(faces, output_dir, **changes):
    return small(faces, output_dir, save_every=2, ema=0.9, **changes)


def test_a_run_leaves_its_files_and_a_second_start_does_nothing(faces, finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    final = tmp_path / "final.keras"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "config.json", "log.csv", "curve.png", "tensorboard", "best.keras", "last.keras", "final.keras",
    }  # fmt: skip
    before = final.stat().st_mtime_ns
    assert train(run(faces, tmp_path)) == final and final.stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"another run: epochs was 2, is 3"):
        train(run(faces, tmp_path, epochs=3))


def test_a_variant_may_be_a_configuration_of_its_own(faces, tmp_path):
    own = FSANetConfig("noS", "metric", image_size=16, num_capsules=3)
    config = small(faces, tmp_path, variant=own)
    assert config.architecture().num_capsules == 3 and config.architecture().image_size == 16
    assert load_model(train(config)).architecture == config.architecture()
    assert is_finished(config)
    with pytest.raises(InputError, match=r"another run: variant.num_capsules was 3, is 4"):
        is_finished(small(faces, tmp_path, variant=dataclasses.replace(own, num_capsules=4)))
    with pytest.raises(InputError, match="variant: expected a name or a configuration, received 7"):
        small(faces, tmp_path, variant=7)


def test_the_log_has_the_learning_rate_and_the_geodesic_error(finished):
    log = np.genfromtxt(finished / "log.csv", delimiter=",", names=True)
    assert {"loss", "mae", "geodesic", "val_loss", "val_mae", "val_geodesic"} <= set(log.dtype.names)
    assert (finished / "log.csv").read_text().splitlines()[1].startswith("1,")
    np.testing.assert_allclose(log["learning_rate"], [1e-3, 1e-4], rtol=1e-6)
    scalars = [
        float(tf.make_ndarray(value.tensor))
        for path in (finished / "tensorboard/train").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "epoch_loss"
    ]
    np.testing.assert_allclose(scalars, log["loss"], rtol=1e-5)


def test_the_card_says_what_was_trained_on_what(faces, finished):
    card = read_card(finished / "final.keras")
    assert card.crop == CropRule(0.29, square=True) and card.image_size == 16
    about = card.about
    assert about["variant"] == TINY_VARIANT and about["data"][0]["file"] == "faces.npz"
    assert 0 < about["validation_mae_deg"] < about["validation_geodesic_deg"] < 180
    assert about["training"]["batch_size"] == 8 and about["training"]["seed"] == 0
    assert about["versions"]["keras"] == keras.__version__ and "output_dir" not in about["training"]
    _, held_out = split_dataset(load_dataset(faces), 99.0, 0.2)
    assert held_out_rows([faces], card).tolist() == held_out.tolist()


def test_equal_runs_have_equal_files(faces, finished, tmp_path):
    again = train(run(faces, tmp_path))
    assert again.read_bytes() == (finished / "final.keras").read_bytes()


def test_a_killed_run_ends_with_the_network_and_the_log_of_a_whole_one(faces, finished):
    cut = finished.with_suffix(".cut")
    assert not (cut / "final.keras").exists()
    resumed = train(run(faces, cut))
    assert resumed.read_bytes() == (finished / "final.keras").read_bytes()
    assert (cut / "log.csv").read_text() == (finished / "log.csv").read_text()


@pytest.mark.slow
def test_mirrored_on_two_devices_equals_one(faces, tmp_path):
    code = (
        "import sys, tensorflow as tf; "
        "tf.config.set_logical_device_configuration(tf.config.list_physical_devices('CPU')[0], "
        "[tf.config.LogicalDeviceConfiguration()] * 2); "
        "sys.argv = sys.argv[1:]; import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    for distribution in ("none", "mirrored"):
        result = run_process("-c", code, "train.py", f"--data={faces}", f"--variant={VARIANT}",
                             "--image_size=16", "--batch_size=8", "--epochs=2", "--ema=0.9",
                             "--learning_rate=1e-4",
                             f"--distribution={distribution}",
                             f"--output_dir={tmp_path / distribution}")  # fmt: skip
        assert result.returncode == 0, result.stderr
    losses = [
        np.genfromtxt(tmp_path / d / "log.csv", delimiter=",", names=True)["loss"]
        for d in ("none", "mirrored")
    ]
    # not to the last bit: each device normalizes its own half of the batch
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.05)


def test_a_loss_that_is_not_finite_names_the_step_and_the_last_good_checkpoint(faces, tmp_path):
    poisoned = build_model(TINY_VARIANT, image_size=16)
    poisoned.get_layer("stage1_bin_scales").bias.assign([np.nan] * 3)
    save_model(tmp_path / "nan.keras", poisoned)
    config = small(faces, tmp_path / "run", init_network=str(tmp_path / "nan.keras"), save_every=2)
    with pytest.raises(InputError, match="step 2: the loss is nan; no checkpoint had been written"):
        train(config)
    assert not (tmp_path / "run/last.keras").exists()


def test_starting_from_another_variant_has_to_be_asked_for(faces, tmp_path):
    save_model(tmp_path / "capsule.keras", build_model("fsanet_noS_capsule_tiny", image_size=16))
    config = {"init_network": str(tmp_path / "capsule.keras"), "epochs": 1}
    with pytest.raises(
        InputError, match=r"init_network: .*capsule\.keras: has \d+ of the \d+ weights of fsanet_noS"
    ):
        train(small(faces, tmp_path / "run", **config))
    with pytest.warns(UserWarning, match=r"has \d+ of the \d+ weights"):
        final = train(small(faces, tmp_path / "run", partial_init=True, **config))
    copied, total = read_card(final).about["started_from"]["weights"]
    assert 0 < copied < total


def test_weights_are_copied_by_path_and_shape():
    source, target = build_model("fsanet_noS_capsule", image_size=16), build_model(VARIANT, image_size=16)
    assert 0 < copy_matching_weights(source, target) < len(target.weights)
    for block in range(1, 8):
        ours, theirs = (
            model.get_layer(f"relu_block{block}_conv").get_weights() for model in (target, source)
        )
        np.testing.assert_array_equal(ours[0], theirs[0])
    with pytest.raises(InputError, match="has no weight in common"):
        copy_matching_weights(keras.Sequential([keras.layers.Dense(1, name="other")]), target)


def test_each_member_of_a_fusion_gets_its_own_weights(rng):
    source, target = (build_model("fsanet_fusion_metric_tiny", image_size=16) for _ in range(2))
    for weight in source.weights:
        weight.assign(rng.normal(size=weight.shape))
    assert copy_matching_weights(source, target) == len(target.weights)
    for ours, theirs in zip(target.weights, source.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_wide_network_lends_its_weights_to_one_with_further_outputs(reference):
    source = load_model(reference / "weights/wide/w175_64.keras")
    config = TrainingConfig(data="a.npz", output_dir="run", width=1.75, localize=True, uncertainty=True)
    target = build_model(config.architecture())
    fresh = {weight.path for weight in target.weights} - {weight.path for weight in source.weights}
    assert copy_matching_weights(source, target) == len(source.weights) == len(target.weights) - len(fresh)
    assert {path.split("/")[0] for path in fresh} == {
        "error", "error_features", "box_offset", "locator_conv", "locator_features", "locator_score",
    }  # fmt: skip


def test_unknown_margins_are_asked_for(tmp_path):
    images, poses = np.zeros((8, 16, 16, 3), np.uint8), np.zeros((8, 3))
    save_dataset(tmp_path / "original.npz", FaceDataset.from_arrays(images, poses))
    config = {"validation_fraction": 0.25, "batch_size": 2}
    with pytest.raises(InputError, match=r"margin_ratio: is required, since the crops of .*original\.npz"):
        load_training_faces(small(tmp_path / "original.npz", tmp_path, **config))
    stated = small(tmp_path / "original.npz", tmp_path, margin_ratio=0.6, **config)
    assert load_training_faces(stated)[2] == CropRule(0.6)
    save_dataset(
        tmp_path / "square.npz", FaceDataset.from_arrays(images, poses, crop=CropRule(0.6, square=True))
    )
    other = small(tmp_path / "original.npz", tmp_path, margin_ratio=0.6,
                  validation_data=str(tmp_path / "square.npz"))  # fmt: skip
    with pytest.raises(InputError, match=r"validation_data: contains square boxes.* expected .*stretched"):
        load_training_faces(other)


def test_mixed_precision_keeps_the_outputs_in_float32():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build_model(VARIANT, image_size=16, localize=True, uncertainty=True)
    finally:
        keras.config.set_dtype_policy(policy)
    assert model.get_layer("relu_block1_conv").compute_dtype == "float16"
    assert {output.dtype for output in model.output.values()} == {"float32"}


def test_the_command_lists_what_is_required_and_no_empty_default():
    result = run_fsanet("train", "--help")
    required = result.stdout.split("required:")[1].split("options:")[0]
    assert "--data=" in required and "--output_dir=" in required and "Default: ." not in result.stdout
    assert "--width=" in result.stdout and "--flip=" in result.stdout
    assert_one_clear_line(run_fsanet("train", "--output_dir=run"), "--data: is required")
    assert_one_clear_line(run_fsanet("train", "--quick"), "--output_dir: is required")


@pytest.mark.slow
def test_quick_goes_from_rendered_heads_to_a_network(tmp_path):
    result = run_fsanet("train", "--quick", f"--output_dir={tmp_path / 'quick'}")
    assert result.returncode == 0, result.stderr
    poses = np.load(tmp_path / "quick/heads.npz")["pose"]
    guess = np.abs(poses - poses.mean(axis=0)).mean()
    assert read_card(tmp_path / "quick/final.keras").about["validation_mae_deg"] < guess / 2
    again = run_fsanet("train", "--quick", f"--output_dir={tmp_path / 'quick'}")
    assert "finished, nothing to do" in again.stdout
    shutil.rmtree(tmp_path / "quick/heads")
    changed = run_fsanet("train", "--quick", "--seed=1", f"--output_dir={tmp_path / 'quick'}")
    assert_one_clear_line(changed, "seed was 0, is 1")
