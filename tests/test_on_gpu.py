"""The recipe that trains on a GPU with JAX, here on a processor; `.ci/run jax` installs what it needs."""

import os
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import ROOT, write_noise_faces

pytest.importorskip("optax", reason="needs jax and optax; .ci/run has them in its part jax")
RUN = """
import sys; sys.path.insert(0, "recipes")
import keras, numpy as np, on_gpu
"""
CONVOLUTIONS = """
for size, stride in ((16, 1), (16, 2), (9, 2)):
    layer = keras.layers.SeparableConv2D(8, 3, stride, padding="same", use_bias=size == 9)
    x = np.random.default_rng(0).random((2, size, size, 5), np.float32)
    expected = layer(x)
    np.testing.assert_allclose(on_gpu.depthwise_as_products(layer, x), expected, atol=1e-5)
"""
# A face that has moved to a place is drawn there: a bright square where the box's center is.
PLACES = """
import jax
size, keys = 64, jax.random.split(jax.random.key(0), 64)
image = np.zeros((64, 96, 96, 3), np.uint8)
image[:, 46:50, 46:50] = 255
moved = jax.vmap(lambda *face: on_gpu.move(*face, size))(keys, image, np.zeros((64, 3)), np.ones(64))
for picture, offset, kind in zip(moved.image, moved.offset, moved.kind):
    x, y = (np.asarray(offset[:2]) + 0.5) * size - 0.5
    if kind < 0 and 4 < min(x, y) and max(x, y) < size - 5:
        rows, columns = np.nonzero(np.asarray(picture)[..., 0] > 60)
        np.testing.assert_allclose((columns.mean(), rows.mean()), (x, y), atol=0.7)
        found += 1
assert found > 30
"""


def run(*arguments, folder=ROOT):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_convolutions_as_products_equal_those_of_keras():
    run("-c", RUN + CONVOLUTIONS)


def test_a_moved_face_is_where_its_target_says():
    run("-c", f"{RUN}found = 0\n{PLACES}")


def test_two_steps_make_a_network_with_all_outputs(tmp_path):
    write_noise_faces(tmp_path / "faces.npz", 60)
    arguments = ("--variant=fsanet_1x1_capsule_strided", "--data=faces.npz", "--output=trained.keras")
    printed = run(
        str(ROOT / "recipes/on_gpu.py"),
        *arguments,
        "--max_steps=2",
        "--scan=1",
        "--batch_size=8",
        folder=tmp_path,
    )
    assert '"steps": 2' in printed
    from fsanet_tf.networks.card import NetworkCard
    from fsanet_tf.networks.keras_files import load_model

    model = load_model(tmp_path / "trained.keras")
    crops = np.random.default_rng(0).uniform(0, 255, (4, 64, 64, 3)).astype(np.float32)
    found = model(crops)
    assert set(found) == {"pose", "uncertainty_deg", "box_offset", "face_score"}
    card = NetworkCard.from_json(model.card)
    assert card.crop.sampling == "filtered"
    assert [file["file"] for file in card.about["data"]] == ["faces.npz"]
