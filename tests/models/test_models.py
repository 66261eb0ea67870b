"""Every variant: shape, parameters, saving, and the released outputs."""

import functools

import keras
import numpy as np
import pytest

from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import resize_crops
from fsanet_tf.models.build import build_model
from fsanet_tf.models.config import FSANetConfig, list_variants, variant_config
from fsanet_tf.networks.batching import predict_poses
from fsanet_tf.networks.network import Network, load_network

PARAMETERS = {
    "fsanet_1x1_capsule": 238_471,
    "fsanet_var_capsule": 238_406,
    "fsanet_noS_capsule": 694_563,
    "fsanet_1x1_netvlad": 183_562,
    "fsanet_var_netvlad": 183_497,
    "fsanet_noS_netvlad": 114_342,
    "fsanet_1x1_metric": 175_046,
    "fsanet_var_metric": 174_981,
    "fsanet_noS_metric": 106_339,
    "ssrnet_mt": 233_619,
}


@pytest.fixture(scope="module")
def faces():
    return np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype("float32")


@pytest.mark.parametrize("variant", list_variants())
def test_variant_shape_parameters_and_saving_without_custom_objects(variant, faces, tmp_path):
    model = build_model(variant)
    poses = model(faces).numpy()
    assert poses.shape == (2, 3) and np.isfinite(poses).all()
    assert model.input_shape == (None, 64, 64, 3)
    assert PARAMETERS.get(variant) in (None, model.count_params())
    model.save(tmp_path / "net.keras")
    twin = keras.models.load_model(tmp_path / "net.keras")
    assert twin.name == variant
    np.testing.assert_array_equal(twin(faces), poses)


def test_fusion_is_the_mean_of_its_members(faces):
    fusion = build_model("fsanet_fusion_capsule")
    members = [fusion.get_layer(f"fsanet_{scoring}_capsule") for scoring in ("1x1", "var", "noS")]
    mean = np.mean([member(faces) for member in members], axis=0)
    np.testing.assert_allclose(fusion(faces), mean, atol=1e-4)


@pytest.mark.parametrize("variant", ["fsanet_var_capsule", "fsanet_fusion_metric", "ssrnet_mt"])
def test_image_size_is_a_parameter(variant):
    model = build_model(variant, image_size=96)
    assert model(np.zeros((1, 96, 96, 3))).shape == (1, 3)


@pytest.mark.parametrize("image_size", [0, 8, 60])
def test_image_size_that_cannot_be_pooled_is_refused(image_size):
    with pytest.raises(ValueError, match=f"Received: {image_size}"):
        build_model("ssrnet_mt", image_size)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="variant must be one of"):
        variant_config("fsanet_2x2_capsule")
    with pytest.raises(ValueError, match="scoring must be one of 1x1, var, noS"):
        FSANetConfig(scoring="2x2")


@pytest.mark.parametrize(
    "name",
    [
        "fsanet_capsule_3_16_2_21_5",
        "fsanet_var_capsule_3_16_2_21_5",
        "fsanet_noS_capsule_3_16_2_192_5",
        "fsanet_metric_3_16_2_21_5",
        "fsanet_var_metric_3_16_2_21_5",
        "fsanet_noS_metric_3_16_2_192_5",
        "fsanet_netvlad_3_16_2_21_5",
        "ssrnet_mt",
    ],
)
def test_released_weights_give_the_released_outputs(name, released, reference, aflw2000):
    poses = predict_poses([load_network(released / f"{name}.h5")], load_dataset(aflw2000).images)
    difference = np.abs(poses - np.load(reference / "golden/aflw2000_outputs.npz")[name])
    assert difference.mean() < 1e-3 and difference.max() < 1e-2


def test_predict_poses_resizes_averages_and_refuses_what_is_not_finite(rng):
    crops = rng.integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    models = [build_model("fsanet_noS_metric"), build_model("ssrnet_mt")]
    small = resize_crops(crops).astype("float32")
    expected = np.mean([model.predict(small, verbose=0) for model in models], axis=0)
    networks = [Network(functools.partial(model.predict, verbose=0), 64, name=model.name) for model in models]
    np.testing.assert_allclose(predict_poses(networks, crops), expected, atol=1e-4)
    models[1].get_layer("stage1_bin_scales").bias.assign([np.nan] * 3)
    with pytest.raises(InputError, match="ssrnet_mt: the pose of face 0 is not finite"):
        predict_poses(networks, crops)
