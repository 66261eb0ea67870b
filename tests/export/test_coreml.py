"""The `.mlpackage`: its input, outputs and card, and its program computed by TensorFlow."""

import json

import numpy as np
import pytest

from fsanet_tf.export.coreml import export_coreml
from fsanet_tf.export.coreml_program import CoreMLProgram
from fsanet_tf.export.parity import astronaut_samples
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import OUTPUTS, NetworkCard
from tests.conftest import run_fsanet
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
    crops = astronaut_samples(32, CARD.crop).crops[:3]
    program, expected = CoreMLProgram(tmp_path / "net.mlpackage"), model.predict(crops, verbose=0)
    answers = program.predict(crops)
    assert program.card == CARD and program.image_size == 32
    for name, values in expected.items():
        assert answers[name].shape == values.shape
        np.testing.assert_allclose(answers[name], values, atol=1e-3)
    assert np.ptp(expected["pose"], axis=0).max() > 0.1  # the crops make a difference


@pytest.mark.slow
@pytest.mark.parametrize("network", ["wide", "fusion", "noS"])
def test_the_command_writes_and_compares_shipped_networks(network, tmp_path):
    result = run_fsanet("export", f"--network={network}", "--formats=coreml", f"--output_dir={tmp_path}")
    assert result.returncode == 0, result.stderr
    (row,) = json.loads((tmp_path / "parity.json").read_text())["files"]
    assert row["file"].endswith(".mlpackage") and row["max_deg"] < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "mirror"),
    [("fsanet_var_netvlad", False), ("fsanet_noS_metric", True), ("ssrnet_mt", False)],
)
def test_every_kind_of_network_is_converted(variant, mirror, tmp_path):
    model = build_model(variant)
    set_weights(model)
    model.save(tmp_path / "net.keras")
    options = ["--formats=coreml", f"--output_dir={tmp_path}", f"--mirror={mirror}"]
    result = run_fsanet("export", f"--network={tmp_path / 'net.keras'}", *options)
    assert result.returncode == 0, result.stderr
