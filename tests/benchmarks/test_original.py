"""The original's network by another Python: here this one, whose TensorFlow runs a TensorFlow 1 graph too."""

import sys

import numpy as np
import pytest

from benchmarks.harness import peak_mib
from benchmarks.original import original_network
from fsanet_tf.errors import InputError
from fsanet_tf.export.formats import export_frozen_graph
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import NetworkCard
from fsanet_tf.networks.network import load_network


def test_another_process_gives_the_same_poses(rng, tmp_path):
    export_frozen_graph(build_model("fsanet_noS_metric"), tmp_path / "net.pb", NetworkCard(64))
    network = original_network(sys.executable, tmp_path / "net.pb", num_threads=1)
    expected = load_network(tmp_path / "net.pb")
    for count in (1, 5):
        crops = rng.uniform(0, 255, (count, 64, 64, 3)).astype(np.float32)
        poses = [answering.predict(crops)["pose"] for answering in (network, expected)]
        np.testing.assert_allclose(*poses, atol=1e-4)


@pytest.mark.parametrize("python", ["/absent/python", "true"])
def test_what_is_no_python_with_tensorflow_is_said(python, tmp_path):
    with pytest.raises(InputError, match=f"--original_python={python}: expected a Python with TensorFlow 1"):
        original_network(python, tmp_path / "net.pb", num_threads=1).predict(
            np.zeros((1, 64, 64, 3), np.float32)
        )


def test_peak_memory_is_at_least_what_was_used():
    used = np.ones(2**24)  # 128 MiB
    assert peak_mib() > used.nbytes / 2**20
