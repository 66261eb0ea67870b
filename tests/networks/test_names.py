"""Networks whose names are not UTF-8 are loaded, and named so that they can be found again."""

import os
import shutil

import numpy as np
import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.networks.network import load_network
from fsanet_tf.networks.pretrained import network_files


@pytest.mark.parametrize("suffix", [".tflite", ".keras"])
def test_names_that_are_not_utf_8_are_loaded(suffix, tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9") + suffix
    with pytest.raises(InputError, match=r"caf\\xe9.*: no such network"):
        load_network(path)
    shipped = network_files("1x1", suffix)[0]
    shutil.copy(shipped, path)
    crops = np.full((1, 64, 64, 3), 100, np.float32)
    expected = load_network(shipped).predict(crops)["pose"]
    np.testing.assert_allclose(load_network(path).predict(crops)["pose"], expected, atol=1e-3)
