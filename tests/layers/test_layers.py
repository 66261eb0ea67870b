"""Every layer: a NumPy reference, a case worked by hand, gradients, configuration, refusals."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fsanet_tf.geometry.disagreement import ErrorCalibration
from fsanet_tf.geometry.pose import mirror_poses
from fsanet_tf.layers import (
    AppendMirrored,
    CapsuleLayer,
    ExpectedError,
    FineGrainedStructureMapping,
    FusedBatchNormalization,
    MatMulLayer,
    NetVLAD,
    SplitMirrored,
    SSRLayer,
    VarianceScoring,
)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def normal(rng, *shape):
    return rng.normal(size=shape).astype("float32")


# A layer, its inputs' shapes, and its NumPy reference from weights by name.


def ssr_reference(scores, shifts, scales):
    value, width = 0, 1
    for p, eta, delta in zip(scores, shifts, scales):
        width = width * 3 * (1 + delta)
        value = value + sum((i - 1 + eta) * p[..., i] for i in range(3)) / width
    return 99 * value


def capsule_reference(layer, u):
    w = layer.kernel.numpy()
    u_hat = np.stack(
        [np.stack([u[:, p] @ w[j, p].T for p in range(w.shape[1])], 1) for j in range(len(w))], 1
    )
    logits = np.zeros(u_hat.shape[:3])
    for _ in range(layer.num_routings):
        coupling = softmax(logits, axis=1)
        s = (coupling[..., None] * u_hat).sum(2)
        n2 = (s**2).sum(-1, keepdims=True)
        v = n2 / (1 + n2) * s / np.sqrt(n2 + 1e-7)
        logits = logits + (u_hat * v[:, :, None]).sum(-1)
    return v


def netvlad_reference(layer, x):
    w1, b1, w2, h1 = (w.numpy() for w in layer.weights)
    a = softmax(x @ w1 + b1, axis=-1)
    vlad = np.zeros((len(x), x.shape[2], 3))
    for k in range(3):
        for p in range(x.shape[1]):
            vlad[:, :, k] += a[:, p, k, None] * (x[:, p] - w2[0, :, k])
    vlad /= np.sqrt(np.maximum((vlad**2).sum(1, keepdims=True), 1e-12))
    flat = vlad.reshape(len(x), -1)
    flat /= np.sqrt(np.maximum((flat**2).sum(-1, keepdims=True), 1e-12))
    return flat @ h1


def mapping_reference(layer, attention, pixels):
    dense = {w.path.rsplit("/", 2)[-2] + "/" + w.name: w.numpy() for w in layer.weights}
    shared = sigmoid(
        attention.reshape(len(attention), -1) @ dense["shared_mapping/kernel"] + dense["shared_mapping/bias"]
    )
    shared = shared.reshape(-1, 7, 5)
    capsules = []
    for k in range(attention.shape[1]):
        m = sigmoid(attention[:, k] @ dense["stage_mapping/kernel"] + dense["stage_mapping/bias"])
        m = m.reshape(len(attention), 5, -1)
        s = shared @ m
        s = s / s.sum(-1, keepdims=True)
        capsules.append(s @ pixels)
    return np.concatenate(capsules, 1)


def test_ssr_layer_equals_reference(rng):
    scores, shifts, scales = (
        [normal(rng, 4, 3, 3)] * 3,
        [normal(rng, 4, 3) for _ in range(3)],
        [normal(rng, 4, 3) / 9 for _ in range(3)],
    )
    np.testing.assert_allclose(
        SSRLayer()(scores, shifts, scales), ssr_reference(scores, shifts, scales), rtol=1e-4, atol=1e-3
    )


def test_ssr_layer_worked_by_hand():
    scores, zero = np.array([[[0.0, 0.0, 1.0]]], "float32"), np.zeros((1, 1), "float32")
    # one stage, all weight on the last bin: 99 · (2 − 1) / 3; half a bin's shift adds half of it
    assert float(SSRLayer()([scores], [zero], [zero])[0, 0]) == pytest.approx(33.0)
    assert float(SSRLayer()([scores], [zero + 0.5], [zero])[0, 0]) == pytest.approx(49.5)
    # twice the width halves the value, and each stage divides by the widths before it
    assert float(SSRLayer()([scores], [zero], [zero + 1])[0, 0]) == pytest.approx(16.5)
    assert float(SSRLayer()([scores] * 2, [zero] * 2, [zero] * 2)[0, 0]) == pytest.approx(33.0 + 11.0)


def test_ssr_layer_takes_any_number_of_outputs(rng):
    assert SSRLayer()([normal(rng, 2, 5, 4)] * 2, [normal(rng, 2, 5)] * 2, [normal(rng, 2, 5)] * 2).shape == (
        2,
        5,
    )


@pytest.mark.parametrize("num_routings", [1, 2, 3])
def test_capsule_layer_equals_reference(rng, num_routings):
    layer, u = CapsuleLayer(3, 16, num_routings), normal(rng, 2, 7, 8)
    np.testing.assert_allclose(layer(u), capsule_reference(layer, u), atol=1e-5)


def test_capsule_layer_squashes_one_capsule_by_hand():
    layer = CapsuleLayer(1, 2, 1)
    layer.build((None, 1, 1))
    layer.kernel.assign(np.array([3.0, 4.0]).reshape(1, 1, 2, 1))
    # one output capsule takes all: s = (3, 4), |s|² = 25, squash = 25/26 · (0.6, 0.8)
    np.testing.assert_allclose(
        layer(np.ones((1, 1, 1), "float32"))[0, 0], np.array([0.6, 0.8]) * 25 / 26, rtol=1e-6
    )


def test_net_vlad_equals_reference(rng):
    layer, x = NetVLAD(3, 12), normal(rng, 2, 6, 8)
    layer.build(x.shape)
    layer.assignment_bias.assign(normal(rng, 3))
    np.testing.assert_allclose(layer(x), netvlad_reference(layer, x), atol=1e-5)


def test_matmul_layer_contracts_the_axis_it_is_told(rng):
    x = normal(rng, 2, 6, 8)
    features, capsules = MatMulLayer(5, axis=-1), MatMulLayer(3, axis=-2)
    np.testing.assert_allclose(features(x), x @ features.kernel.numpy(), atol=1e-5)
    np.testing.assert_allclose(capsules(x), np.einsum("bpf,pk->bkf", x, capsules.kernel.numpy()), atol=1e-5)


def test_variance_scoring_is_the_population_variance():
    x = np.array([1.0, 3.0], "float32").reshape(1, 1, 1, 2)
    assert float(VarianceScoring()(x)[0, 0, 0, 0]) == pytest.approx(1.0)


def test_structure_mapping_equals_reference(rng):
    layer = FineGrainedStructureMapping()
    attention, pixels = normal(rng, 2, 3, 4), normal(rng, 2, 12, 6)
    result = layer(attention, pixels)
    np.testing.assert_allclose(result, mapping_reference(layer, attention, pixels), atol=1e-5)
    assert layer.stage_mappings(attention).shape == (2, 3, 5, 12)


def test_structure_mapping_rows_sum_to_one(rng):
    ones = np.ones((2, 12, 6), "float32")  # a row's sum times ones is one
    np.testing.assert_allclose(FineGrainedStructureMapping()(normal(rng, 2, 3, 4), ones), 1.0, rtol=1e-5)


LAYERS = {
    "capsule": (lambda: CapsuleLayer(3, 16, name="x"), [(7, 8)]),
    "netvlad": (lambda: NetVLAD(3, 48, name="x"), [(7, 8)]),
    "matmul_features": (lambda: MatMulLayer(16, name="x"), [(7, 8)]),
    "matmul_capsules": (lambda: MatMulLayer(3, axis=-2, name="x"), [(7, 8)]),
    "variance": (lambda: VarianceScoring(name="x"), [(4, 4, 8)]),
    "structure_mapping": (lambda: FineGrainedStructureMapping(name="x"), [(3, 4), (12, 8)]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_gradients_config_and_symbolic_shape(name, rng):
    make, shapes = LAYERS[name]
    layer = make()
    inputs = [normal(rng, 2, *shape) for shape in shapes]
    with tf.GradientTape() as tape:
        outputs = layer(*inputs)
        total = tf.reduce_sum(tf.square(outputs))
    for variable, gradient in zip(layer.trainable_variables, tape.gradient(total, layer.trainable_variables)):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0, variable.path
    twin = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(twin) is type(layer) and twin.get_config() == layer.get_config()
    symbolic = layer(*[keras.Input(shape) for shape in shapes])
    assert symbolic.shape == (None, *outputs.shape[1:])


def test_ssr_layer_gradients_and_config(rng):
    inputs = [[tf.Variable(normal(rng, 2, 3, *bins)) for _ in range(3)] for bins in ((3,), (), ())]
    layer = SSRLayer(max_value=90.0, scale_weight=0.1)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(*inputs))
    for gradient in tf.nest.flatten(tape.gradient(total, inputs)):
        assert np.abs(gradient).max() > 0
    twin = SSRLayer.from_config(layer.get_config())
    assert (twin.max_value, twin.scale_weight) == (90.0, 0.1)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CapsuleLayer(3, 16, 0), "num_routings must be at least 1"),
        (lambda: CapsuleLayer(3, 16)(np.ones((2, 3))), r"Received: shape=\(2, 3\)"),
        (lambda: CapsuleLayer(3, 16)(keras.Input((None, 8))), "known sizes"),
        (lambda: NetVLAD(3, 48)(np.ones((2, 3, 4, 5))), "NetVLAD expects"),
        (lambda: MatMulLayer(3, axis=0), "axis must be -1"),
        (lambda: MatMulLayer(3)(np.ones((2, 3))), "MatMulLayer expects"),
        (lambda: FineGrainedStructureMapping()(np.ones((2, 3)), np.ones((2, 3, 4))), "expects an input"),
        (lambda: SSRLayer(max_value=0), "max_value must be positive"),
        (
            lambda: SSRLayer()([np.ones((1, 1, 3))] * 2, [np.ones((1, 1))], [np.ones((1, 1))]),
            "as many bin_scores",
        ),
    ],
)
def test_layer_refuses_what_cannot_be_right(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_mirroring_layers_append_and_split(rng):
    images, poses = normal(rng, 2, 8, 8, 3), normal(rng, 4, 3)
    appended = AppendMirrored()(images).numpy()
    np.testing.assert_array_equal(appended, np.concatenate([images, images[:, :, ::-1]]))
    own, mirrored = (half.numpy() for half in SplitMirrored()(poses))
    np.testing.assert_array_equal(own, poses[:2])
    np.testing.assert_array_equal(mirrored, mirror_poses(poses[2:]))


def test_expected_error_equals_the_calibrations(rng):
    poses = 40 * normal(rng, 3, 50, 3)
    layer = ExpectedError(0.9, 1.8, 0.01)
    again = ExpectedError.from_config(layer.get_config())
    expected = ErrorCalibration(0.9, 1.8, 0.01).expected_error(poses)
    np.testing.assert_allclose(again(list(poses)).numpy(), expected, rtol=1e-4)


def test_fused_normalisation_equals_keras_own(rng):
    x = normal(rng, 6, 5, 4, 3) * 3 + 1
    ours, keras_own = FusedBatchNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)
    results = []
    for layer in (ours, keras_own):
        layer.build(x.shape)
        layer.gamma.assign([0.5, 1.0, 2.0])
        layer.beta.assign([0.1, 0.2, 0.3])
        variable = tf.Variable(x)
        with tf.GradientTape() as tape:
            outputs = layer(variable, training=True)
            total = tf.reduce_sum(outputs**3)
        gradients = tape.gradient(total, [variable, layer.gamma.value, layer.beta.value])
        results.append(
            [outputs, layer.moving_mean, layer.moving_variance, layer(x, training=False), *gradients]
        )
    for one, other in zip(*results):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
