"""Networks as functions: named outputs, means, mirrors, cards inside the files, copies."""

import json
import os
import pickle
import warnings

import keras
import numpy as np
import pytest

import fsanet_tf
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import LANDMARK_CROP, CropRule
from fsanet_tf.geometry.pose import mirror_poses
from fsanet_tf.io.files import sha256
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import OUTPUTS, NetworkCard, read_card
from fsanet_tf.networks.keras_files import load_model, save_model
from fsanet_tf.networks.network import Ensemble, FileNetwork, Mirrored, load_network, predict_crops
from fsanet_tf.networks.pretrained import network_files, network_sha256
from tests.conftest import run_process
from tests.small_networks import pooled

RULE = CropRule(0.29, square=True, sampling="filtered")


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(0).uniform(0, 255, (5, 64, 64, 3)).astype(np.float32)


def test_a_keras_file_moved_alone_still_says_how_to_crop(tmp_path):
    save_model(tmp_path / "net.keras", pooled(), NetworkCard(64, RULE, about={"note": "é"}))
    moved = (tmp_path / "net.keras").rename(tmp_path / "moved.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = load_network(moved)
    assert network.card.crop == RULE and network.card.about["note"] == "é"
    assert load_model(moved).card["crop"]["sampling"] == "filtered"
    assert not list(tmp_path.glob("*.json"))


def test_a_file_that_does_not_say_warns_with_the_rule_that_is_assumed(tmp_path):
    pooled().save(tmp_path / "net.keras")
    with pytest.warns(UserWarning, match="assuming stretched boxes with a margin of 0.6"):
        assert load_network(tmp_path / "net.keras").card.crop == LANDMARK_CROP


def test_a_card_of_version_0_3_next_to_the_file_is_read(tmp_path):
    pooled().save(tmp_path / "net.keras")
    (tmp_path / "net.json").write_text(json.dumps({"margin_ratio": 0.29, "square": True, "variant": "x"}))
    card = read_card(tmp_path / "net.keras")
    assert card.crop == CropRule(0.29, square=True) and card.about == {"variant": "x"}


def test_a_damaged_card_is_named(tmp_path):
    pooled().save(tmp_path / "net.keras")
    for content in ("[]", "{", json.dumps({"margin_ratio": -1})):
        (tmp_path / "net.json").write_text(content)
        with pytest.raises(InputError, match=r"net\.keras: expected the card of a network"):
            read_card(tmp_path / "net.keras")


def test_keras_files_with_one_unnamed_output_load_as_before(tmp_path, crops):
    model = build_model("fsanet_var_metric")
    old = keras.Model(model.input, model.output["pose"], name="fsanet_var_metric")
    old.save(tmp_path / "old.keras")
    loaded = load_model(tmp_path / "old.keras")
    np.testing.assert_array_equal(loaded(crops)["pose"], old(crops))


def test_several_networks_are_their_mean_and_so_is_the_fused_model(crops):
    names = ["1x1", "var"]
    for load, answer in (
        (load_network, lambda network: network.predict(crops)),
        (load_model, lambda m: m(crops)),
    ):
        mean = np.mean([answer(load(name))["pose"] for name in names], axis=0)
        np.testing.assert_allclose(answer(load(names))["pose"], mean, atol=1e-5)


def test_mirroring_averages_with_the_undone_poses_of_mirrored_crops(crops):
    network = load_network(network_files("var", ".keras")[0])
    flipped = mirror_poses(network.predict(crops[:, :, ::-1].copy())["pose"])
    expected = (network.predict(crops)["pose"] + flipped) / 2
    np.testing.assert_allclose(Mirrored(network).predict(crops)["pose"], expected, atol=1e-5)
    np.testing.assert_allclose(load_model("var", mirror=True)(crops)["pose"], expected, atol=1e-3)


@pytest.mark.parametrize("name", ["fusion", ["fusion"]])
def test_the_fusion_predicts_its_error_the_same_from_either_runtime(name, crops):
    network, model = load_network("fusion"), load_model(name)
    assert set(network.card.outputs) == set(OUTPUTS) == set(model.card["outputs"])
    np.testing.assert_allclose(
        network.predict(crops)["uncertainty_deg"], model(crops)["uncertainty_deg"], atol=0.2
    )


@pytest.mark.parametrize("make", [lambda: load_network("fusion"), lambda: Mirrored(load_network("1x1"))])
def test_copies_predict_the_same_and_lose_nothing(make, crops):
    network = make()
    twin = pickle.loads(pickle.dumps(network))
    assert type(twin) is type(network) and (twin.name, twin.card) == (network.name, network.card)
    for name, values in network.predict(crops).items():
        np.testing.assert_array_equal(twin.predict(crops)[name], values)


def test_networks_of_different_crops_are_not_averaged(tmp_path):
    save_model(tmp_path / "net.keras", pooled(), NetworkCard(64, CropRule(0.6)))
    with pytest.raises(InputError, match="networks of one input"):
        load_network([tmp_path / "net.keras", "1x1"])
    with pytest.raises(InputError, match="networks of one input"):
        load_model([tmp_path / "net.keras", "1x1"])
    for refuse in (lambda: Ensemble(()), lambda: load_model([])):
        with pytest.raises(InputError, match="at least one"):
            refuse()


def test_any_object_with_the_members_is_a_network():
    class Constant:
        name, card, image_size = "constant", NetworkCard(), 64

        def predict(self, crops):
            return {"pose": np.zeros((len(crops), 3), np.float32)}

    network = Constant()
    assert isinstance(network, fsanet_tf.Network) and load_network(network) is network


@pytest.mark.parametrize("name", ["absent.tflite", "nonsense"])
def test_an_unknown_network_is_one_line_with_the_choices(name):
    for load in (load_network, load_model):
        with pytest.raises(InputError, match=f"{name}: no such network .*fusion"):
            load(name)


def test_a_crop_of_nan_has_no_pose_whatever_the_file_answers(crops):
    """An 8-bit file answers with a plausible pose."""
    answer = lambda crops: {"pose": np.ones((len(crops), 3), np.float32), "face_score": np.ones(len(crops))}  # noqa: E731
    network = FileNetwork("integers", NetworkCard(), 64, answer, ())
    broken = crops.copy()
    broken[2, 63, 0, 1] = np.nan
    outputs = network.predict(broken)
    for values in outputs.values():
        assert np.isnan(values).reshape(5, -1).all(axis=1).tolist() == [False, False, True, False, False]
    assert network.predict(crops[:0])["pose"].shape == (0, 3)
    with pytest.raises(InputError, match="integers: pose of face 2 is not finite"):
        predict_crops(network, broken)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_keras_network_says_that_it_was_forked_and_does_not_hang(tmp_path):
    """Neither the one that was loaded before nor one that is loaded, or unpickled, afterwards."""
    save_model(tmp_path / "net.keras", pooled())
    code = (
        "import os, pickle, signal, numpy as np, fsanet_tf\n"
        "network, crops = fsanet_tf.load_network('net.keras'), np.zeros((1, 64, 64, 3), np.float32)\n"
        "network.predict(crops)\n"
        "if not os.fork():\n"
        "    signal.alarm(60)\n"
        "    for use in (lambda: network.predict(crops), lambda: pickle.loads(pickle.dumps(network))):\n"
        "        try:\n            use()\n"
        "        except fsanet_tf.InputError as error:\n            print(error, flush=True)\n"
        "    os._exit(0)\n"
        "os.wait()"
    )
    result = run_process("-c", code, cwd=tmp_path)
    said = "net.keras: TensorFlow was in use before this process was forked"
    assert result.stdout.count(said) == 2, result.stderr


def test_a_mean_is_not_averaged_with_others_as_a_model():
    with pytest.raises(InputError, match=r"fusion: is a mean of networks; .* name 1x1, noS, var"):
        load_model(["fusion", "var"])


def test_a_keras_model_is_a_network(tmp_path, crops):
    model = build_model("fsanet_noS_metric", uncertainty=True)
    save_model(tmp_path / "net.keras", model, NetworkCard(64, RULE, about={"note": "é"}))
    expected, network = load_network(tmp_path / "net.keras"), load_network(model)
    assert (network.name, network.card, network.image_size) == (model.name, expected.card, 64)
    twin = pickle.loads(pickle.dumps(network))
    for name, values in expected.predict(crops).items():
        np.testing.assert_array_equal(network.predict(crops)[name], values)
        np.testing.assert_array_equal(twin.predict(crops)[name], values)
    both = load_network([model, tmp_path / "net.keras"])
    np.testing.assert_allclose(both.predict(crops)["pose"], expected.predict(crops)["pose"], atol=1e-5)


def test_a_keras_model_without_a_card_warns_with_the_rule_that_is_assumed(crops):
    image = keras.Input((64, 64, 3))
    model = keras.Model(image, keras.layers.Dense(3)(keras.layers.GlobalMaxPooling2D()(image)), name="own")
    with pytest.warns(UserWarning, match="own: .* assuming stretched boxes with a margin of 0.6"):
        network = load_network(model)
    np.testing.assert_allclose(network.predict(crops)["pose"], model(crops), atol=1e-3)


def test_a_plain_keras_model_is_written_with_its_card(tmp_path):
    image = keras.Input((64, 64, 3))
    model = keras.Model(image, {"pose": keras.layers.Dense(3)(keras.layers.Flatten()(image))})
    save_model(tmp_path / "net.keras", model, NetworkCard(crop=RULE))
    assert read_card(tmp_path / "net.keras").crop == RULE


@pytest.mark.parametrize("thing", [3, None, object(), keras.layers.Dense(3)])
def test_what_is_no_network_is_one_clear_line(thing, tmp_path):
    received = f"received {type(thing).__name__}"
    for load in (load_network, load_model):
        with pytest.raises(InputError, match=f"network: expected a file or .*name, {received}"):
            load(thing)
    with pytest.raises(InputError, match=rf"net\.keras: expected a Keras model, {received}"):
        save_model(tmp_path / "net.keras", thing)


def test_the_files_of_a_network_are_identified(tmp_path):
    assert list(network_sha256("fusion", ".keras")) == ["1x1.keras", "noS.keras", "var.keras"]
    (file,) = network_files("var")
    assert network_sha256("var") == {"var.tflite": sha256(file)}
    for name in ("first", "second"):
        (tmp_path / name / "variables").mkdir(parents=True)
        for part in ("graph.pb", "variables/data"):
            (tmp_path / name / part).write_text(part)
    digests = [network_sha256(tmp_path / name)[name] for name in ("first", "second")]
    assert digests[0] == digests[1]
    (tmp_path / "second/variables/data").write_text("other")
    assert network_sha256(tmp_path / "second")["second"] != digests[0]
