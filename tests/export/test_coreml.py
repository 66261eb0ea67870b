"""The `.mlpackage`: its input, outputs and card, and its program computed by TensorFlow."""

import json

import keras
import numpy as np
import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.export.config import ExportConfig
from fsanet_tf.export.coreml import export_coreml
from fsanet_tf.export.export import export_model
from fsanet_tf.export.parity import astronaut_samples
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import OUTPUTS, NetworkCard
from fsanet_tf.networks.keras_files import load_model, save_model
from tests.conftest import run_fsanet
from tests.export.coreml_program import CoreMLProgram
from tests.golden.seeded import set_weights

ct = pytest.importorskip("coremltools")
CARD = NetworkCard(32, CropRule(0.29, True, "filtered"), OUTPUTS, {"variant": "small"})


def test_the_package_has_a_bgr_image_named_outputs_and_the_card(tiny, tmp_path):
    model = build_model("fsanet_1x1_metric_tiny", image_size=32, localize=True, uncertainty=True)
    set_weights(model)
    export_coreml(model, tmp_path / "net.mlpackage", CARD)
    spec = ct.utils.load_spec(str(tmp_path / "net.mlpackage"))
    (image,) = spec.description.input
    color = type(image.type.imageType).BGR
    assert image.name == "image" and image.type.imageType.colorSpace == color
    assert (image.type.imageType.width, image.type.imageType.height) == (32, 32)
    outputs = {output.name: output.shortDescription for output in spec.description.output}
    assert outputs == OUTPUTS
    about = spec.description.metadata
    assert about.shortDescription.startswith("small: pose, ")
    assert NetworkCard.from_json(json.loads(about.userDefined["fsanet_tf.card"])) == CARD
    program = CoreMLProgram(tmp_path / "net.mlpackage")
    assert program.card == CARD and program.image_size == 32
    require_kerass_outputs(program, model)


def require_kerass_outputs(program: CoreMLProgram, model: keras.Model) -> None:
    crops = astronaut_samples(program.image_size, program.card.crop).crops[:3]
    answers, expected = program.predict(crops), model.predict(crops, verbose=0)
    assert answers.keys() == expected.keys()
    for name, values in expected.items():
        assert answers[name].shape == values.shape
        np.testing.assert_allclose(answers[name], values, atol=1e-3)
    assert np.ptp(expected["pose"], axis=0).max() > 0.1  # the crops make a difference


@pytest.mark.slow
@pytest.mark.parametrize("network", ["strided", "fusion", "noS"])
def test_the_packages_of_shipped_networks_compute_what_keras_does(network, tmp_path):
    result = run_fsanet("export", f"--network={network}", "--formats=coreml", f"--output_dir={tmp_path}")
    assert result.returncode == 0, result.stderr
    assert "not compared: CoreML runs on Apple's systems only" in result.stdout
    (row,) = json.loads((tmp_path / "parity.json").read_text())["files"]
    assert row["max_deg"] is None
    require_kerass_outputs(CoreMLProgram(tmp_path / row["file"]), load_model(network))


@pytest.mark.slow
def test_networks_of_other_operations_are_written_too(tmp_path):
    save_model(tmp_path / "net.keras", network_with("softplus"), CARD)
    report = export_model(ExportConfig(tmp_path / "net.keras", tmp_path / "out", "coreml"))
    assert report.refused == () and (tmp_path / "out" / report.files[0].file).is_dir()


def test_an_operation_that_coremltools_does_not_know_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"net.mlpackage: coremltools cannot convert this network .*Erfinv"):
        export_coreml(network_with(keras.ops.erfinv), tmp_path / "net.mlpackage", CARD)


def network_with(activation) -> keras.Model:
    image = keras.Input((32, 32, 3))
    x = keras.layers.Conv2D(4, 3, strides=8, activation=activation)(image)
    return keras.Model(image, {"pose": keras.layers.Dense(3)(keras.layers.Flatten()(x))})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "mirror"),
    [("fsanet_var_netvlad", False), ("fsanet_noS_metric", True), ("ssrnet_mt", False)],
)
def test_every_kind_of_network_is_converted(variant, mirror, tmp_path):
    keras.utils.set_random_seed(1)  # an absolute bound suits the poses of initial weights
    model = build_model(variant)
    save_model(tmp_path / "net.keras", model, CARD)
    options = ["--formats=coreml", f"--output_dir={tmp_path}", f"--mirror={mirror}"]
    result = run_fsanet("export", f"--network={tmp_path / 'net.keras'}", *options)
    assert result.returncode == 0, result.stderr
    (package,) = tmp_path.glob("*.mlpackage")
    require_kerass_outputs(CoreMLProgram(package), load_model(tmp_path / "net.keras", mirror=mirror))
