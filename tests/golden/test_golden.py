"""Committed outputs: of the original's graphs, of every layer, of every variant and shipped network.

`python -m tests.golden.make` made them. `.ci/run` runs these tests on every backend.
"""

import json

import keras
import numpy as np
import pytest

import fsanet_tf.layers
from fsanet_tf.models.build import build_model
from fsanet_tf.models.config import variant_config
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.networks.network import load_network
from fsanet_tf.networks.pretrained import DEFAULT, DEFAULT_INT8, list_networks
from tests.golden.make import FACES, FOLDER, LAYERS, POSES, SINGLE, answer, predict_seeded
from tests.golden.seeded import layer_output, set_weights
from tests.legacy_files import legacy_arrays, write_legacy

GOLDEN = json.loads(POSES.read_text())
TOLERANCE_DEG = 1e-3


@pytest.fixture(scope="module")
def faces() -> np.ndarray:
    return np.load(FACES)["images"].astype(np.float32)


@pytest.mark.parametrize("name", fsanet_tf.layers.__all__)
def test_every_public_layer_has_a_golden_and_equals_it(name):
    golden = np.load(LAYERS)
    assert name in golden, f"{name}: add a case to tests/golden/seeded.py and run tests.golden.make"
    np.testing.assert_allclose(layer_output(name), golden[name], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("variant", SINGLE)
def test_every_variant_equals_its_golden(variant, faces):
    poses = predict_seeded(variant, faces)
    assert np.ptp(poses, axis=0).max() > 0.1  # the faces differ, and so do their poses
    np.testing.assert_allclose(poses, GOLDEN["seeded"][variant], rtol=1e-5, atol=TOLERANCE_DEG)


@pytest.mark.parametrize("variant", GOLDEN["original_seeded"])
def test_weight_files_of_the_original_layout_give_what_its_graph_gives(variant, faces, tmp_path):
    model = build_model(variant)
    set_weights(model)
    path = write_legacy(tmp_path / "original.h5", legacy_arrays(model, offset=3))
    poses = answer(load_model(path), faces)
    np.testing.assert_allclose(poses, GOLDEN["original_seeded"][variant], atol=TOLERANCE_DEG)


@pytest.mark.parametrize("name", sorted(GOLDEN["shipped"].keys() - {DEFAULT_INT8}))
def test_shipped_networks_equal_their_goldens(name, faces):
    golden = GOLDEN["shipped"][name]
    np.testing.assert_allclose(answer(load_model(name), faces), golden, atol=TOLERANCE_DEG)
    np.testing.assert_allclose(load_network(name).predict(faces)["pose"], golden, atol=0.7)  # 16-bit weights


def test_the_network_of_8_bits_equals_its_golden_and_is_near_that_of_32(faces):
    poses = load_network(DEFAULT_INT8).predict(faces)["pose"]
    np.testing.assert_allclose(poses, GOLDEN["shipped"][DEFAULT_INT8], atol=0.2)
    assert np.abs(poses - GOLDEN["shipped"][DEFAULT]).mean() < 1.75


def test_every_shipped_network_has_a_golden():
    assert GOLDEN["shipped"].keys() == set(list_networks())


@pytest.mark.slow  # against the original's outputs on more faces: tests/models/test_models.py
@pytest.mark.parametrize("name", GOLDEN["released"])
def test_released_networks_equal_their_goldens(name, faces, released):
    poses = load_network(released / f"{name}.h5").predict(faces)["pose"]
    np.testing.assert_allclose(poses, GOLDEN["released"][name]["poses"], atol=TOLERANCE_DEG)


def test_goldens_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir() if path.is_file()) < 2e6


@pytest.mark.parametrize(
    "variant",
    [
        "fsanet_noS_metric",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("fsanet_1x1_capsule", "fsanet_var_netvlad")
        ),
    ],
)
def test_a_network_is_built_trained_saved_loaded_and_predicts(variant, faces, tmp_path):
    model = build_model(variant)
    set_weights(model)
    model.compile(keras.optimizers.Adam(1e-3), {"pose": "mae"}, jit_compile=False)
    model.optimizer.build(model.trainable_variables)  # quicker than within the first step
    poses = np.array(GOLDEN["seeded"][variant], np.float32) + 5.0
    losses = model.fit(faces, {"pose": poses}, batch_size=4, epochs=4, shuffle=False, verbose=0).history[
        "loss"
    ]
    assert losses[-1] < losses[0]
    model.save(tmp_path / "net.keras")
    twin = load_model(tmp_path / "net.keras")
    assert twin.architecture == variant_config(variant)
    expected = answer(model, faces)
    np.testing.assert_allclose(answer(twin, faces), expected, atol=TOLERANCE_DEG)
    assert np.abs(expected - GOLDEN["seeded"][variant]).max() > 0.1  # the training changed it
