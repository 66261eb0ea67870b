"""Every variant: shape, parameters, saving, and the released outputs."""

import keras
import numpy as np
import pytest

from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import resize_crops
from fsanet_tf.models.build import build_model
from fsanet_tf.models.config import FSANetConfig, list_variants, variant_config
from fsanet_tf.networks.card import NetworkCard
from fsanet_tf.networks.network import load_network, predict_crops

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
    "fsanet_1x1_capsule_strided": 960_081,
}
QUICK = [name for name in list_variants() if "fusion" not in name and "strided" not in name]
QUICK += ["fsanet_fusion_capsule", "fsanet_1x1_capsule_strided"]
VARIANTS = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in list_variants()]


@pytest.fixture(scope="module")
def faces():
    return np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype("float32")


@pytest.mark.parametrize("variant", VARIANTS)
def test_variant_shape_parameters_and_saving_without_custom_objects(variant, faces, tmp_path):
    model = build_model(variant)
    poses = model(faces)["pose"].numpy()
    assert poses.shape == (2, 3) and np.isfinite(poses).all()
    assert model.input_shape == (None, 64, 64, 3)
    assert PARAMETERS.get(variant) in (None, model.count_params())
    model.save(tmp_path / "net.keras")
    twin = keras.models.load_model(tmp_path / "net.keras")
    assert twin.name == variant
    np.testing.assert_array_equal(twin(faces)["pose"], poses)


def test_fusion_is_the_mean_of_its_members(faces):
    fusion = build_model("fsanet_fusion_capsule")
    members = [fusion.get_layer(f"fsanet_{scoring}_capsule") for scoring in ("1x1", "var", "noS")]
    mean = np.mean([member(faces)["pose"] for member in members], axis=0)
    np.testing.assert_allclose(fusion(faces)["pose"], mean, atol=1e-4)
    assert fusion.architecture == FSANetConfig("fusion", "capsule")


@pytest.mark.parametrize("variant", ["fsanet_var_capsule", "fsanet_fusion_metric", "ssrnet_mt"])
def test_image_size_is_a_parameter(variant):
    model = build_model(variant, image_size=96)
    assert model(np.zeros((1, 96, 96, 3)))["pose"].shape == (1, 3)


def test_fields_apply_to_names_and_configurations_and_others_are_refused():
    fusion = build_model("fsanet_fusion_metric", image_size=16, width=0.25, uncertainty=True)
    assert fusion.name == "fsanet_fusion_metric_w025" and set(fusion.output) == {"pose", "uncertainty_deg"}
    config = FSANetConfig("var", "metric", image_size=16, width=0.25)
    assert set(build_model(config, uncertainty=True).output) == {"pose", "uncertainty_deg"}
    with pytest.raises(InputError, match="localize: does not apply to ssrnet_mt"):
        build_model("ssrnet_mt", localize=True)
    with pytest.raises(InputError, match="variant: expected a name or a configuration, received 3"):
        build_model(3)


@pytest.mark.parametrize("image_size", [0, 8, 60])
def test_image_size_that_cannot_be_pooled_is_refused(image_size):
    with pytest.raises(ValueError, match=f"image_size: expected .*received {image_size}"):
        build_model("ssrnet_mt", image_size=image_size)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="variant: expected one of"):
        variant_config("fsanet_2x2_capsule")
    with pytest.raises(ValueError, match="scoring: expected one of 1x1, var, noS"):
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
@pytest.mark.parametrize("data", ["first64", pytest.param("aflw2000", marks=pytest.mark.slow)])
def test_released_weights_give_the_released_outputs(name, data, released, reference, request):
    images = load_dataset(request.getfixturevalue(data)).images
    poses = predict_crops(load_network(released / f"{name}.h5"), images)["pose"]
    golden = np.load(reference / "golden/aflw2000_outputs.npz")[name]
    difference = np.abs(poses - golden[: len(poses)])
    assert difference.mean() < 1e-3 and difference.max() < 1e-2


def test_width_multiplies_the_filters_and_the_name_says_so():
    narrow, wide = (build_model(FSANetConfig(width=width)) for width in (1.0, 1.75))
    assert (narrow.count_params(), wide.count_params()) == (238_471, 401_703)
    assert wide.name == f"{narrow.name}_w175"
    convolutions = [layer for layer in wide.layers if isinstance(layer, keras.layers.SeparableConv2D)]
    assert all(layer.filters % 8 == 0 for layer in convolutions)


def test_a_network_that_localizes_has_named_outputs_of_the_documented_ranges(faces):
    model = build_model("fsanet_var_capsule", localize=True, uncertainty=True)
    outputs = model.predict(faces, verbose=0)
    shapes = {name: values.shape for name, values in outputs.items()}
    assert shapes == {"pose": (2, 3), "uncertainty_deg": (2,), "box_offset": (2, 3), "face_score": (2,)}
    assert (outputs["uncertainty_deg"] > 0).all()
    assert ((outputs["face_score"] >= 0) & (outputs["face_score"] <= 1)).all()


def test_the_loss_of_the_expected_error_sees_the_pose_and_does_not_move_it(tiny, faces):
    def distance(poses, both):  # pose and expected error next to each other
        return keras.ops.abs(keras.ops.mean(keras.ops.abs(both[:, :3] - poses), axis=-1) - both[:, 3])

    model = build_model("fsanet_noS_metric_tiny", uncertainty=True)
    before = model.predict(faces, verbose=0)["pose"]
    model.compile(keras.optimizers.SGD(1e-2), {"uncertainty_deg": distance}, jit_compile=False)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        model.fit(faces, {"uncertainty_deg": before + 5.0}, epochs=2, verbose=0)
    frozen = [v for v in model.trainable_variables if v.path.startswith("stage1_bin_s")]
    assert frozen and all(np.isfinite(v.numpy()).all() for v in frozen)
    assert model.predict(faces, verbose=0)["uncertainty_deg"].mean() > 0


def test_predictions_of_any_number_of_crops_are_resized_and_finite(rng):
    crops = rng.integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    network = load_network("1x1")
    expected = network.predict(resize_crops(crops).astype("float32"))["pose"]
    np.testing.assert_array_equal(predict_crops(network, crops)["pose"], expected)
    assert predict_crops(network, crops[:0])["pose"].shape == (0, 3)
    broken = BrokenNetwork()
    with pytest.raises(InputError, match="broken: pose of face 1 is not finite"):
        predict_crops(broken, crops)


class BrokenNetwork:
    """Answers the second crop with NaN."""

    name, card, image_size = "broken", NetworkCard(), 64

    def predict(self, crops):
        poses = np.zeros((len(crops), 3), np.float32)
        poses[1] = np.nan
        return {"pose": poses}


def test_the_strided_backbone_attends_to_channels_and_has_the_stages_of_two_streams(rng):
    model = build_model("fsanet_1x1_capsule_strided", localize=True)
    stages = [model.get_layer(f"stage{stage}_conv").output.shape[1:] for stage in (1, 2, 3)]
    assert stages == [(8, 8, 64), (8, 8, 64), (16, 16, 64)]
    crops = rng.uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    before = model.predict(crops, verbose=0)["pose"]
    excite = model.get_layer("group3_block1_excite")
    excite.set_weights([np.zeros_like(excite.kernel), np.full_like(excite.bias, -20)])  # no channel passes
    assert not np.allclose(model.predict(crops, verbose=0)["pose"], before)
