"""Training runs: they learn, go on after a kill, refuse what does not fit, and keep their promises."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.dataset import FaceDataset, save_dataset
from fsanet_tf.data.input_pipeline import (
    FacesInMemory,
    FacesInShards,
    cut_views,
    split_by_group,
    training_batches,
    validation_batches,
)
from fsanet_tf.data.tfrecords import read_index, write_shards
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.geometry.pose import geodesic_errors
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.training import config, recipe
from fsanet_tf.training.config import TrainingConfig
from fsanet_tf.training.trainer import copy_matching_weights, train
from tests.conftest import ROOT, assert_one_clear_line, run_fsanet, run_process

VARIANT = "fsanet_noS_metric"


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("faces") / "faces.npz"
    poses = rng.uniform(-60, 60, (60, 3)).astype("float32")
    images = rng.integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
    images[:, :8] = (poses[:, 0, None, None, None] + 100).astype(np.uint8)  # something to learn
    save_dataset(path, FaceDataset.from_arrays(images, poses, np.full(60, ""), CropRule(0.29, square=True)))
    return path


def small(faces, **changes):
    values = {"data": (str(faces),), "variant": VARIANT, "image_size": 16, "batch_size": 8, "epochs": 2}
    return TrainingConfig(**{**values, **changes})


@pytest.fixture(scope="module")
def finished(faces, tmp_path_factory):
    """The folder of a run that ended."""
    return train(small(faces), tmp_path_factory.mktemp("finished"), verbose=0).parent


def test_run_leaves_its_files_and_a_second_start_does_nothing(faces, finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    final = tmp_path / "final.keras"
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "config.json", "log.csv", "curve.png", "tensorboard", "best.keras", "last.keras",
        "final.keras", "final.json",
    }  # fmt: skip
    card = json.loads((tmp_path / "final.json").read_text())
    assert card["variant"] == VARIANT and 0 < card["validation_mae_deg"] < 100
    assert card["training"]["batch_size"] == 8
    assert (card["margin_ratio"], card["square"]) == (0.29, True)  # what the demo then crops by
    before = final.stat().st_mtime_ns
    assert train(small(faces), tmp_path, verbose=0) == final and final.stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"another run: epochs was 2, is 3"):
        train(small(faces, epochs=3), tmp_path, verbose=0)


def same_weights(first, second):
    for ours, theirs in zip(load_model(first).weights, load_model(second).weights, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


@pytest.mark.slow
def test_killed_run_ends_with_the_same_weights(faces, tmp_path):
    """SIGKILL at random moments; FSANET_KILLS=10 for the long version."""
    command = [sys.executable, "train.py", f"--data={faces}", f"--variant={VARIANT}", "--image_size=16",
               "--batch_size=8", "--epochs=6", "--save_every=2", "--mirror=0.5", "--ema=0.9"]  # fmt: skip
    whole = subprocess.run(
        [*command, f"--output_dir={tmp_path / 'whole'}"], cwd=ROOT, capture_output=True, check=True
    )
    assert b"trained" in whole.stdout
    chance, killed = random.Random(0), 0
    for _ in range(int(os.environ.get("FSANET_KILLS", "1"))):
        process = subprocess.Popen([*command, f"--output_dir={tmp_path / 'cut'}"], cwd=ROOT,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        log = tmp_path / "cut/tensorboard"
        deadline = time.time() + 120
        events = len(list(log.rglob("*"))) if log.exists() else 0
        while len(list(log.rglob("*"))) <= events and process.poll() is None and time.time() < deadline:
            time.sleep(0.05)  # training is about to begin
        time.sleep(chance.uniform(0, 4))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
    assert killed
    subprocess.run([*command, f"--output_dir={tmp_path / 'cut'}"], cwd=ROOT, capture_output=True, check=True)
    same_weights(tmp_path / "whole/final.keras", tmp_path / "cut/final.keras")
    same_weights(tmp_path / "whole/last.keras", tmp_path / "cut/last.keras")


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
                             "--image_size=16", "--batch_size=8", "--epochs=2",
                             f"--distribution={distribution}",
                             f"--output_dir={tmp_path / distribution}")  # fmt: skip
        assert result.returncode == 0, result.stderr
    losses = [
        np.genfromtxt(tmp_path / d / "log.csv", delimiter=",", names=True)["loss"]
        for d in ("none", "mirrored")
    ]
    # not to the last bit: each device normalises its own half of the batch
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.05)


def test_nan_names_the_step_and_the_last_good_checkpoint(faces, tmp_path):
    poisoned = build_model(VARIANT, 16)
    poisoned.get_layer("stage1_bin_scales").bias.assign([np.nan] * 3)
    poisoned.save(tmp_path / "nan.keras")
    with pytest.raises(InputError, match="step 1: the loss is nan; no checkpoint had been written"):
        train(small(faces, init_weights=str(tmp_path / "nan.keras")), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run/last.keras").exists()


def test_init_weights_copies_what_both_networks_have():
    source, target = build_model("fsanet_noS_capsule", 16), build_model(VARIANT, 16)
    assert 0 < copy_matching_weights(source, target) < len(target.weights)
    for block in range(1, 8):
        ours, theirs = (
            model.get_layer(f"relu_block{block}_conv").get_weights() for model in (target, source)
        )
        np.testing.assert_array_equal(ours[0], theirs[0])
    with pytest.raises(InputError, match="has no weight in common"):
        copy_matching_weights(keras.Sequential([keras.layers.Dense(1, name="other")]), target)


@pytest.mark.parametrize("loss", [pytest.param("geodesic", marks=pytest.mark.slow), "mae_geodesic"])
def test_another_recipe_trains(loss, faces, tmp_path):
    run = small(faces, epochs=1, optimizer="adamw", loss=loss, schedule="cosine", warmup_epochs=1, ema=0.9)
    assert train(run, tmp_path, verbose=0).exists()


@pytest.mark.parametrize("table", [config.LOSSES, config.OPTIMIZERS, config.SCHEDULES, config.DISTRIBUTIONS])
def test_every_choice_of_the_configuration_has_its_thing(table):
    assert all(callable(table[name]) for name in table)


def test_an_unknown_choice_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"loss must be one of mae, geodesic, mae_geodesic.*\. Received: l2"):
        TrainingConfig(data=(), loss="l2")


def test_a_run_of_an_older_version_is_known(faces, finished, tmp_path):
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    old = json.loads((tmp_path / "config.json").read_text())
    for key in ("max_angle_deg", "margin_ratio"):
        del old[key]
    old["protocol"] = 1
    for key in ("sharpen", "low_resolution", "jpeg"):
        del old["augmentation"][key]
    old["augmentation"]["colour"] = old["augmentation"].pop("color")
    old["augmentation"]["greyscale"] = old["augmentation"].pop("grayscale")
    (tmp_path / "config.json").write_text(json.dumps(old))
    assert train(small(faces), tmp_path, verbose=0) == tmp_path / "final.keras"


def test_geodesic_loss_is_the_rotation_angle_with_a_gradient(rng):
    true, predicted = rng.uniform(-80, 80, (2, 50, 3)).astype("float32")
    with tf.GradientTape() as tape:
        variable = tf.Variable(predicted)
        value = recipe.GeodesicLoss()(true, variable)
    assert float(value) == pytest.approx(geodesic_errors(predicted, true).mean(), rel=1e-3)
    assert np.isfinite(tape.gradient(value, variable)).all()
    at_zero = tf.Variable(true)
    with tf.GradientTape() as tape:
        value = recipe.GeodesicLoss()(true, at_zero)
    assert np.isfinite(tape.gradient(value, at_zero)).all()


def test_schedules():
    step = config.SCHEDULES["step"](1e-3, epochs=90, warmup_epochs=0, steps_per_epoch=10)
    assert [round(float(step(s)), 7) for s in (0, 300, 301, 600, 601)] == [1e-3, 1e-3, 1e-4, 1e-4, 1e-5]
    cosine = config.SCHEDULES["cosine"](1e-3, epochs=10, warmup_epochs=2, steps_per_epoch=10)
    assert float(cosine(0)) == pytest.approx(5e-5) and float(cosine(19)) == pytest.approx(1e-3)
    assert float(cosine(60)) == pytest.approx(5e-4) and float(cosine(100)) == pytest.approx(0, abs=1e-9)


def test_mixed_precision_keeps_the_regression_in_float32():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = build_model(VARIANT, 16)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.get_layer("relu_block1_conv").compute_dtype == "float16"
    assert model.get_layer("pose").compute_dtype == "float32"
    assert model(np.zeros((1, 16, 16, 3))).dtype == tf.float32


def test_split_is_seeded_disjoint_and_complete():
    rows = np.arange(10, 110)
    alone = np.arange(200)
    training, validation = split_by_group(rows, alone, 0.2, seed=3)
    assert len(validation) == 20 and sorted([*training, *validation]) == rows.tolist()
    np.testing.assert_array_equal(split_by_group(rows, alone, 0.2, seed=3)[1], validation)
    assert (split_by_group(rows, alone, 0.2, seed=4)[1] != validation).any()


def test_a_group_is_never_split():
    groups = np.arange(200) // 7
    training, validation = split_by_group(np.arange(200), groups, 0.3, seed=1)
    assert 40 <= len(validation) <= 60 and not set(groups[training]) & set(groups[validation])


def test_folds_cover_every_face_once():
    groups = np.arange(200) // 7
    folds = [split_by_group(np.arange(200), groups, 0.25, seed=1, fold=fold)[1] for fold in range(4)]
    assert sorted(np.concatenate(folds)) == list(range(200))
    with pytest.raises(ValueError, match="fold must be 0 or more and below 1 / validation_fraction"):
        TrainingConfig(data=(), validation_fraction=0.25, fold=4)


def test_the_same_seed_gives_equal_weights_and_tensorboard_reads_the_loss(faces, finished, tmp_path):
    same_weights(train(small(faces), tmp_path, verbose=0), finished / "final.keras")
    scalars = [
        (value.tag, float(tf.make_ndarray(value.tensor)))
        for path in (tmp_path / "tensorboard/train").iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == "epoch_loss"
    ]
    logged = np.genfromtxt(tmp_path / "log.csv", delimiter=",", names=True)["loss"]
    assert scalars == [("epoch_loss", pytest.approx(loss, rel=1e-5)) for loss in logged]


def test_crops_of_several_margins_are_cut_to_a_common_one(tmp_path):
    """A square of half the crop's side, and one of a quarter at three times the margin's field of view."""
    images = np.zeros((2, 96, 96, 3), np.uint8)
    images[0, 24:72, 24:72] = 255  # margin 0: the square covers half of the crop
    images[1, 36:60, 36:60] = 255  # margin 0.5: of twice the field of view
    dataset = FaceDataset.from_arrays(images, np.zeros((2, 3)), crop=CropRule(0.0, square=True))
    dataset.labels.margin_ratios[1] = 0.5
    with pytest.raises(InputError, match="different margins: expected --margin_ratio"):
        FacesInMemory(dataset, np.arange(2))
    save_dataset(tmp_path / "a.npz", dataset)
    write_shards([tmp_path / "a.npz"], tmp_path / "a.tfrecords.json", num_shards=1)
    for faces in (
        FacesInMemory(dataset, np.arange(2), margin_ratio=0.0),
        FacesInShards(read_index(tmp_path / "a.tfrecords.json"), 99.0, margin_ratio=0.0),
    ):
        nothing = AugmentationConfig(original=False)
        options = {"batch_size": 2, "augmentation": nothing, "image_size": 48, "seed": 0}
        for batches in (
            training_batches(faces, **options),
            validation_batches(faces, batch_size=2, image_size=48),
        ):
            ((first, second), _, _) = next(iter(batches))
            np.testing.assert_allclose(first, second, atol=130)  # edges fall between pixels
            assert abs(float(np.mean(first)) - float(np.mean(second))) < 3
    views = np.array([1.0, 0.5])
    np.testing.assert_array_equal(*cut_views(images, views, 48))


def test_weights_decide_how_much_a_face_counts():
    images, poses = np.zeros((16, 16, 16, 3), np.uint8), np.repeat([[0.0, 0, 0], [50.0, 0, 0]], 8, axis=0)
    model, losses = build_model(VARIANT, 16), []
    model.compile(loss="mae")
    for weight in (1.0, 0.0):
        weights = np.repeat([1.0, weight], 8)
        dataset = FaceDataset.from_arrays(images, poses, crop=CropRule(0.3), weights=weights)
        faces = FacesInMemory(dataset, np.arange(16))
        losses.append(model.evaluate(validation_batches(faces, batch_size=16, image_size=16), verbose=0))
    assert losses[1] < losses[0]


@pytest.mark.parametrize("source", ["memory", "shards"])
def test_an_epoch_gives_every_face_once_and_any_step_can_come_first(source, tmp_path):
    poses = np.arange(120, dtype="float32").reshape(40, 3) / 2
    images = np.zeros((40, 16, 16, 3), np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None, None]
    data = FaceDataset.from_arrays(images, poses, np.full(40, ""))
    save_dataset(tmp_path / "a.npz", data)
    if source == "memory":
        faces = FacesInMemory(data, np.arange(40))
    else:
        write_shards([tmp_path / "a.npz"], tmp_path / "a.tfrecords.json", num_shards=3)
        faces = FacesInShards(read_index(tmp_path / "a.tfrecords.json"), max_angle_deg=99.0)
    assert faces.count == 40 and faces.image_size == 16
    options = {"batch_size": 8, "augmentation": AugmentationConfig(mirror=0.5), "image_size": 16, "seed": 5}
    batches = list(training_batches(faces, **options).take(10))
    plain = {**options, "augmentation": AugmentationConfig(original=False)}
    for epoch in (0, 5):
        seen = [
            pose
            for _, p, _ in training_batches(faces, first_step=epoch, **plain).take(5)
            for pose in p.numpy()
        ]
        assert sorted(map(tuple, seen)) == sorted(map(tuple, poses))
        for images_, poses_, _ in training_batches(faces, first_step=epoch, **plain).take(5):
            np.testing.assert_array_equal(
                images_[:, 0, 0, 0] * 1.5, poses_[:, 0]
            )  # pictures keep their labels
    assert any((a[1] != b[1]).numpy().any() for a, b in zip(batches[:5], batches[5:]))  # another order
    for first in (3, 7):
        for (images_, poses_, _), later in zip(
            batches[first:], training_batches(faces, first_step=first, **options)
        ):
            np.testing.assert_array_equal(images_, later[0])
            np.testing.assert_array_equal(poses_, later[1])


def test_shards_train(faces, tmp_path):
    index = tmp_path / "s.tfrecords.json"
    assert write_shards([faces, faces], index, num_shards=5).count(0) == 120
    assert train(small(index, epochs=1), tmp_path / "run", verbose=0).exists()
    (tmp_path / "s-shards/s-00000-of-00005.tfrecord").unlink()
    with pytest.raises(InputError, match=r"s-00000-of-00005\.tfrecord: no such file"):
        train(small(index), tmp_path / "other", verbose=0)


@pytest.mark.slow
def test_quick_goes_from_rendered_heads_to_a_network(tmp_path):
    result = run_fsanet("train", "--quick", f"--output_dir={tmp_path / 'quick'}")
    assert result.returncode == 0, result.stderr
    poses = np.load(tmp_path / "quick/heads.npz")["pose"]
    guess = np.abs(poses - poses.mean(axis=0)).mean()
    card = json.loads((tmp_path / "quick/final.json").read_text())
    assert card["validation_mae_deg"] < guess / 2
    again = run_fsanet("train", "--quick", f"--output_dir={tmp_path / 'quick'}")
    assert "finished, nothing to do" in again.stdout
    shutil.rmtree(tmp_path / "quick/heads")
    changed = run_fsanet("train", "--quick", "--seed=1", f"--output_dir={tmp_path / 'quick'}")
    assert_one_clear_line(changed, "seed was 0, is 1")
