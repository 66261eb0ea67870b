"""The loader of released files: every variant, any numbering, and one line for each defect."""

import copy

import h5py
import numpy as np
import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.released.legacy import load_released_weights
from tests.legacy_files import legacy_arrays, write_legacy
from tests.models.test_models import PARAMETERS


@pytest.mark.parametrize(
    ("variant", "offset"),
    [
        *((variant, 96) for variant in PARAMETERS if "strided" not in variant),
        ("fsanet_1x1_capsule", 0),
        ("ssrnet_mt", 41),
    ],
)  # 96: numbers of two and of three digits
def test_every_variant_loads_whatever_its_numbering(variant, offset, tmp_path, rng):
    model = build_model(variant)
    for variable in model.weights:  # equal shapes must not be able to change places unseen
        variable.assign(rng.normal(size=variable.shape))
    path = write_legacy(tmp_path / "net.h5", legacy_arrays(model, offset))
    loaded = load_released_weights(path)
    assert loaded.name == variant
    for ours, theirs in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


@pytest.fixture(scope="module")
def whole():
    return legacy_arrays(build_model("fsanet_1x1_capsule"))


@pytest.fixture
def arrays(whole):
    return copy.deepcopy(whole)


def refused(path, message, variant=None):
    with pytest.raises(InputError, match=message) as error:
        load_released_weights(path, variant)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_missing_array_is_refused(tmp_path, arrays):
    del arrays["ssr_S_model"]["dense_2/bias"]
    refused(write_legacy(tmp_path / "n.h5", arrays), "structure_mapping/shared_mapping/bias .* is missing")


def test_missing_layer_is_refused(tmp_path, arrays):
    arrays["ssr_G_model"] = {k: v for k, v in arrays["ssr_G_model"].items() if not k.startswith("conv2d_3")}
    refused(write_legacy(tmp_path / "n.h5", arrays), "expected 6 layers conv2d_N .* found 5")


def test_extra_array_is_refused(tmp_path, arrays):
    arrays["ssr_Cap_model"]["caps/extra"] = np.zeros(3, "float32")
    refused(write_legacy(tmp_path / "n.h5", arrays), "unexpected array ssr_Cap_model/caps/extra")


def test_wrong_shape_is_refused(tmp_path, arrays):
    arrays["ssr_Cap_model"]["caps/W"] = np.zeros((3, 21, 16, 32), "float32")
    refused(write_legacy(tmp_path / "n.h5", arrays), r"capsule/kernel has shape \(3, 21, 16, 32\), expected")


def test_values_that_are_not_finite_are_refused(tmp_path, arrays):
    arrays["ssr_Cap_model"]["caps/W"][0, 0, 0, :3] = np.nan
    refused(write_legacy(tmp_path / "n.h5", arrays), "3 of 64512 values of capsule/kernel are not finite")


def test_whole_numbers_are_refused(tmp_path, arrays):
    arrays["ssr_Cap_model"]["caps/W"] = arrays["ssr_Cap_model"]["caps/W"].astype(int)
    refused(write_legacy(tmp_path / "n.h5", arrays), "expected floating-point numbers")


def test_another_variant_than_asked_for_is_refused(tmp_path, arrays):
    path = write_legacy(tmp_path / "n.h5", arrays)
    refused(path, "contains fsanet_1x1_capsule, expected fsanet_var_capsule", "fsanet_var_capsule")


def test_two_aggregations_are_refused(tmp_path, arrays):
    arrays["ssr_Agg_model"] = {"net_vlad_1/kernel_B1": np.zeros(3, "float32")}
    refused(write_legacy(tmp_path / "n.h5", arrays), "expected one of the groups")


def test_another_network_is_refused(tmp_path):
    path = write_legacy(tmp_path / "n.h5", {"conv1": {"conv1/kernel": np.zeros((3, 3), "float32")}})
    refused(path, "received another network")


def test_an_hdf5_file_without_weights_is_refused(tmp_path):
    with h5py.File(tmp_path / "n.h5", "w") as file:
        file["x"] = 1
    refused(tmp_path / "n.h5", "could not read it")


def test_truncated_and_foreign_files_are_refused(tmp_path, arrays):
    whole = write_legacy(tmp_path / "whole.h5", arrays).read_bytes()
    for name, content in (("cut", whole[: len(whole) // 2]), ("text", b"hello"), ("empty", b"")):
        path = tmp_path / f"{name}.h5"
        path.write_bytes(content)
        refused(path, "is empty" if name == "empty" else "could not read it")
    refused(tmp_path / "absent.h5", "no such file")
    refused(tmp_path, "is a folder")


def test_the_released_file_of_nan_is_refused(released):
    refused(released / "fsanet_var_netvlad_3_16_2_21_5.h5", "not finite")
