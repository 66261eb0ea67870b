"""A killed run resumes, in a new process and whatever its recipe, and ends as if it had not been killed."""

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.registry import EXTENSIONS_VARIABLE
from fsanet_tf.training.checkpoints import Checkpoints
from fsanet_tf.training.config import TrainingConfig
from fsanet_tf.training.recipe import compile_network, step_schedule
from fsanet_tf.training.run_directory import config_as_json, is_finished, write_config
from fsanet_tf.training.trainer import train
from tests.conftest import ROOT, run_process
from tests.training.runs import EXTENSION, VARIANT, copied_when_killed, save_faces, small

pytestmark = pytest.mark.usefixtures("tiny")
AVERAGED = {
    "optimizer": "adamw",
    "weight_decay": 0.01,
    "schedule": "cosine",
    "loss": "mae_geodesic",
    "ema": 0.9,
}
RECIPES = {
    "averaged": AVERAGED,
    "plain": {"schedule": "step", "loss": "mae"},
    "16 bits": {"mixed_precision": True, "ema": 0.9, "loss": "geodesic", "schedule": "cosine"},
    "an extension": {"loss": "huber5", "metrics": ("worst",), "warmup_epochs": 1, "schedule": "cosine"},
    "all outputs": {"localize": True, "uncertainty": True},
}
RESUME = """
import json, sys
from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.training.config import TrainingConfig
from fsanet_tf.training.trainer import train
for fields in json.loads(sys.argv[1]):
    fields["augmentation"] = AugmentationConfig(**fields["augmentation"])
    train(TrainingConfig(**fields))
"""


@pytest.fixture
def extension(tmp_path, monkeypatch):
    path = tmp_path / "own.py"
    path.write_text(EXTENSION)
    monkeypatch.setenv(EXTENSIONS_VARIABLE, str(path))
    return path


@pytest.mark.slow
def test_every_recipe_is_resumed_in_another_process(extension, tmp_path):
    """Another process resumes the copies that a kill leaves."""
    faces, cut = save_faces(tmp_path / "faces.npz"), []
    for name in RECIPES:
        config = small(faces, tmp_path / f"{name}.run", variant=VARIANT, save_every=2, **RECIPES[name])
        with copied_when_killed():
            train(config)
        assert keras.config.dtype_policy().name == "float32"
        cut.append({**config_as_json(config), "output_dir": str(tmp_path / f"{name}.cut")})
    assert not any((tmp_path / f"{name}.cut/final.keras").exists() for name in RECIPES)
    result = run_process("-c", RESUME, json.dumps(cut))
    assert result.returncode == 0, result.stderr
    for name in RECIPES:
        whole, resumed = tmp_path / f"{name}.run", tmp_path / f"{name}.cut"
        assert (resumed / "log.csv").read_text() == (whole / "log.csv").read_text(), name
        for file in ("last.keras", "best.keras", "final.keras"):
            same_weights(whole / file, resumed / file)
        assert (whole / "final.keras").read_bytes() == (resumed / "final.keras").read_bytes(), name


def same_weights(first, second):
    ours, theirs = (keras.models.load_model(path, compile=False).weights for path in (first, second))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=f"{second}: {one.path}")


@pytest.mark.slow
def test_the_best_network_of_16_bits_is_averaged_and_the_final_one_computes_in_32(tmp_path):
    config = small(
        save_faces(tmp_path / "faces.npz"), tmp_path / "run", epochs=1, ema=0.99, mixed_precision=True
    )
    final = train(config)
    assert keras.config.dtype_policy().name == "float32"
    best, last, shipped = (
        keras.models.load_model(tmp_path / "run" / name, compile=False)
        for name in ("best.keras", "last.keras", "final.keras")
    )
    differences = [
        np.abs(a - b).max() for a, b in zip(best.trainable_variables, last.trainable_variables, strict=True)
    ]
    assert max(differences) > 0
    assert {layer.compute_dtype for layer in best.layers} == {"float16", "float32"}
    assert {layer.compute_dtype for layer in shipped.layers} == {"float32"}
    for ours, theirs in zip(load_model(final).weights, best.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_of_version_0_3_whose_variant_named_the_head_is_the_same(tmp_path):
    faces = save_faces(tmp_path / "faces.npz")
    config = dataclasses.replace(small(faces, tmp_path / "run"), head="fc")
    old = config_as_json(config)
    del old["head"]
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.json").write_text(json.dumps(old | {"variant": f"{config.variant}_fc"}))
    assert not is_finished(config)
    with pytest.raises(InputError, match="head was 'fc', is 'split'"):
        is_finished(dataclasses.replace(config, head="split"))


@pytest.mark.slow
def test_a_run_of_version_0_3_resumes(tmp_path):
    """Its checkpoint contains one output without a name, its configuration older options, its log no rate."""
    faces = save_faces(tmp_path / "faces.npz")
    config = small(faces, tmp_path / "old")
    old = config_as_json(config)
    newer = ("width", "head", "representation", "uncertainty", "localize", "square", "metrics")
    for key in ("output_dir", *newer):
        del old[key]
    old["init_weights"] = old.pop("init_network")
    (tmp_path / "old").mkdir()
    (tmp_path / "old/config.json").write_text(json.dumps(old))
    network = build_model(config.architecture())
    model = keras.Model(network.input, network.output["pose"], name=network.name)
    model.compile(keras.optimizers.Adam(step_schedule(1e-3, 2, 0, 6)), "mae", jit_compile=False)
    images = np.zeros((8, 16, 16, 3), np.float32)
    for _ in range(6):  # the steps of an epoch
        model.train_on_batch(images, np.ones((8, 3)))
    model.save(tmp_path / "old/last.keras")
    network.save(tmp_path / "old/best.keras")
    (tmp_path / "old/log.csv").write_text("epoch,loss,mae,val_loss,val_mae\n1,30.5,30.5,0.5,0.5\n2,9,9,9,9\n")
    assert not is_finished(config)
    restored = build_model(config.architecture())
    compile_network(restored, config, steps_per_epoch=6)
    checkpoints = Checkpoints(tmp_path / "old", None, 6, 0)
    checkpoints.restore(restored)
    assert checkpoints.step == 6 and [row["epoch"] for row in checkpoints.rows] == [1]
    for ours, theirs in zip(
        [*restored.weights, *restored.optimizer.variables],
        [*model.weights, *model.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert train(config).exists()
    rows = np.genfromtxt(tmp_path / "old/log.csv", delimiter=",", names=True)
    assert rows["epoch"].tolist() == [1, 2] and np.isnan(rows["learning_rate"][0])


def test_other_faces_or_another_extension_are_refused(extension, tmp_path):
    faces = save_faces(tmp_path / "faces.npz")
    config = small(faces, tmp_path / "run")
    write_config(config)
    assert not is_finished(config)
    with np.load(faces) as arrays:
        np.savez_compressed(faces, **arrays)  # the same faces
    assert not is_finished(config)
    extension.write_text(EXTENSION.replace("5.0", "6.0"))
    with pytest.raises(
        InputError, match="FSANET_EXTENSIONS has other contents than when this run was started"
    ):
        is_finished(config)
    extension.write_text(EXTENSION)
    save_faces(faces, seed=1)
    with pytest.raises(InputError, match=r"faces\.npz: contains other faces than when the run in .*run was"):
        is_finished(config)


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_time_resumes(tmp_path):
    """SIGKILL at random moments; FSANET_KILLS=10 for the long version."""
    faces = save_faces(tmp_path / "faces.npz")
    command = [sys.executable, "train.py", f"--data={faces}", f"--variant={VARIANT}", "--image_size=16",
               "--batch_size=8", "--epochs=6", "--save_every=2", "--flip=0.5", "--ema=0.9"]  # fmt: skip
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
    for file in ("final.keras", "last.keras"):
        same_weights(tmp_path / "whole" / file, tmp_path / "cut" / file)
    assert (tmp_path / "whole/log.csv").read_text() == (tmp_path / "cut/log.csv").read_text()


def test_the_configuration_of_a_run_in_python_may_contain_objects(tmp_path):
    def config(delta):
        return TrainingConfig(data="a.npz", output_dir=tmp_path, loss=keras.losses.Huber(delta=delta))

    assert "'delta': 5.0" in config_as_json(config(5.0))["loss"]
    assert config_as_json(config(5.0)) != config_as_json(config(6.0))
