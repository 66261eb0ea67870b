"""Losses, schedules and metrics of the recipe."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fsanet_tf.data.dataset import FaceDataset
from fsanet_tf.data.input_pipeline import Faces, validation_batches
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.geometry.pose import geodesic_errors
from fsanet_tf.models.build import build_model
from fsanet_tf.models.config import FSANetConfig
from fsanet_tf.registry import import_thing
from fsanet_tf.training import config, recipe
from fsanet_tf.training.config import TrainingConfig
from tests.training.runs import TINY_VARIANT

pytestmark = pytest.mark.usefixtures("tiny")


def run(**fields) -> TrainingConfig:
    return TrainingConfig(data="faces.npz", output_dir="run", **fields)


def test_every_choice_of_the_configuration_has_its_thing():
    for table in (config.OPTIMIZERS, config.SCHEDULES, config.DISTRIBUTIONS):
        assert all(callable(import_thing(address)) for address in table.values())
    assert all(
        isinstance(config.LOSSES[name](), keras.losses.Loss) for name in ("mae", "geodesic", "mae_geodesic")
    )
    assert [metric.name for metric in recipe.make_metrics(run(metrics="mae"))] == ["mae", "geodesic"]


def test_losses_and_metrics_may_be_objects():
    huber, hinge = keras.losses.Huber(delta=5.0), keras.metrics.MeanSquaredError(name="squared")
    chosen = run(loss=huber, metrics=(hinge, keras.metrics.LogCoshError))
    assert recipe.make_losses(chosen)["pose"] is huber
    assert [metric.name for metric in recipe.make_metrics(chosen)][2:] == ["squared", "logcosh"]
    assert isinstance(recipe.make_losses(run(loss=keras.losses.LogCosh))["pose"], keras.losses.LogCosh)


def test_each_output_has_its_loss():
    assert list(recipe.make_losses(run())) == ["pose"]
    every = recipe.make_losses(run(localize=True, uncertainty=True))
    assert every.keys() == recipe.LOSS_WEIGHTS.keys()
    own = recipe.make_losses(run(variant=FSANetConfig(localize=True, uncertainty=True)))
    assert own.keys() == every.keys()
    assert list(recipe.make_losses(run(variant="ssrnet_mt"))) == ["pose"]


def test_geodesic_loss_is_the_rotation_angle_with_a_gradient(rng):
    true, predicted = rng.uniform(-80, 80, (2, 50, 3)).astype("float32")
    with tf.GradientTape() as tape:
        variable = tf.Variable(predicted)
        value = recipe.GeodesicLoss()(true, variable)
    assert float(value) == pytest.approx(geodesic_errors(predicted, true).mean(), rel=1e-3)
    assert np.isfinite(tape.gradient(value, variable)).all()
    at_zero = tf.Variable(true)
    with tf.GradientTape() as tape:
        value = recipe.GeodesicLoss()(true, at_zero)
    assert np.isfinite(tape.gradient(value, at_zero)).all()


def test_the_expected_error_is_least_at_the_mean_error_and_leaves_the_pose_alone():
    true = np.zeros((4, 3), np.float32)
    predicted = np.zeros((4, 4), np.float32)
    predicted[:, 0] = (2, 4, 6, 8)  # geodesic errors, of mean 5
    losses = {}
    for expected in (4.5, 5.0, 5.5):
        predicted[:, 3] = expected
        losses[expected] = float(recipe.ExpectedErrorLoss()(true, predicted))
    assert losses[5.0] < min(losses[4.5], losses[5.5])
    assert losses[5.0] == pytest.approx(np.log(5) + 1, rel=1e-3)
    variable = tf.Variable(predicted)
    with tf.GradientTape() as tape:
        value = recipe.ExpectedErrorLoss()(true, variable)
    gradient = tape.gradient(value, variable).numpy()
    assert (gradient[:, :3] == 0).all() and (gradient[:, 3] != 0).all()


def test_face_score_loss_is_binary_cross_entropy_of_each_face():
    score, weights = np.array([0.9, 0.2], np.float32), np.array([1.0, 0.0], np.float32)
    value = recipe.FaceScoreLoss()(np.array([1.0, 0.0], np.float32), score, weights)
    assert float(value) == pytest.approx(-np.log(0.9) / 2, rel=1e-4)


@pytest.mark.parametrize(
    ("epochs", "rates"),
    [(90, {0: 1e-3, 300: 1e-3, 301: 1e-4, 600: 1e-4, 601: 1e-5}), (1, {0: 1e-3, 9: 1e-3}),
     (2, {9: 1e-3, 11: 1e-4, 19: 1e-4}), (3, {9: 1e-3, 11: 1e-4, 21: 1e-5})],
)  # fmt: skip
def test_step_schedule_lets_each_rate_last_an_epoch(epochs, rates):
    step = recipe.step_schedule(1e-3, epochs, warmup_epochs=0, steps_per_epoch=10)
    assert {number: float(step(number)) for number in rates} == pytest.approx(rates)


def test_cosine_schedule():
    cosine = recipe.cosine_schedule(1e-3, epochs=10, warmup_epochs=2, steps_per_epoch=10)
    plain = recipe.cosine_schedule(1e-3, epochs=10, warmup_epochs=0, steps_per_epoch=10)
    assert float(plain(0)) == pytest.approx(1e-3) and float(plain(50)) == pytest.approx(5e-4)
    assert float(cosine(0)) == pytest.approx(5e-5) and float(cosine(19)) == pytest.approx(1e-3)
    assert float(cosine(60)) == pytest.approx(5e-4, rel=0.02) and float(cosine(100)) == pytest.approx(
        0, abs=1e-9
    )


def test_weights_decide_how_much_a_face_counts():
    images, poses = np.zeros((16, 16, 16, 3), np.uint8), np.repeat([[0.0, 0, 0], [50.0, 0, 0]], 8, axis=0)
    model, losses = build_model(TINY_VARIANT, image_size=16), []
    model.compile(loss={"pose": "mae"}, run_eagerly=True)
    for weight in (1.0, 0.0):
        weights = np.repeat([1.0, weight], 8)
        faces = Faces(
            FaceDataset.from_arrays(images, poses, crop=CropRule(0.3), weights=weights), np.arange(16)
        )
        losses.append(model.evaluate(validation_batches(faces, batch_size=16, image_size=16), verbose=0))
    assert losses[1] < losses[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"variant": "nonsense"}, "variant: expected one of .*received nonsense"),
        ({"batch_size": 0}, "batch_size: expected a whole number of at least 1, received 0"),
        ({"loss": "l2"}, "loss: expected one of mae, geodesic, mae_geodesic.*received l2"),
        ({"image_size": 20}, "image_size: expected a multiple of 8"),
        ({"validation_fraction": 0.25, "fold": 4}, "fold: expected less than 1 / validation_fraction"),
        ({"weight_decay": 0.1}, "weight_decay: expected 0 with adam"),
        ({"warmup_epochs": 1}, "warmup_epochs: expected 0 with step, which has no warmup"),
        (
            {"schedule": "cosine", "epochs": 2, "warmup_epochs": 2},
            "warmup_epochs: expected fewer than 2 epochs",
        ),
        ({"partial_init": True}, "partial_init: expected an init_network"),
        ({"variant": "ssrnet_mt", "localize": True}, "localize: does not apply to ssrnet_mt"),
        ({"data": ()}, "data: expected at least one, received none"),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_its_name(fields, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**{"data": "faces.npz", "output_dir": "run", **fields})


@pytest.mark.parametrize(("chosen", "expected"), [(None, False), (False, False), (True, True)])
def test_a_processor_does_not_compile_unless_asked(chosen, expected):
    model = build_model(TINY_VARIANT)
    recipe.compile_network(model, run(jit_compile=chosen), 10)
    assert model.jit_compile is expected
