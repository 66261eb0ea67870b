"""Weights and inputs that everyone can make again: random numbers, seeded by a name."""

import zlib
from collections.abc import Callable

import keras
import numpy as np

from fsanet_tf import layers


def numbers(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Normal random numbers that depend on a name alone, float32."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return rng.normal(size=shape).astype(np.float32)


def set_weights(layer: keras.layers.Layer) -> None:
    """Give a layer or network weights of a trained one's size, seeded by their paths.

    Kernels have a variance of one over their inputs; normalizations change scale and offset a little.
    """
    for variable in layer.weights:
        value = numbers(variable.path, tuple(variable.shape))
        kind = variable.path.split("/")[-1]
        if kind in ("gamma", "moving_variance"):
            value = np.exp(0.2 * value)
        elif len(variable.shape) == 1:
            value = 0.1 * value
        else:
            capsules = variable.path.startswith("capsule/")  # (J, P, D, F)
            fan_in = 9 if kind == "depthwise_kernel" else variable.shape[-1 if capsules else -2]
            small = (
                "bin_scales" in variable.path or "metric" in variable.path
            )  # else bins get a width near zero
            value = value / np.sqrt(fan_in) * (0.1 if small else 1.0)
        variable.assign(value)


# One case of every public layer, and its inputs' shapes.
CASES: dict[str, tuple[Callable[[], keras.layers.Layer], list[tuple[int, ...]]]] = {
    "AppendMirrored": (lambda: layers.AppendMirrored(), [(2, 4, 4, 3)]),
    "CapsuleLayer": (lambda: layers.CapsuleLayer(3, 16, name="capsule"), [(2, 7, 8)]),
    "ExpectedError": (lambda: layers.ExpectedError(0.9, 1.8, 0.01), [(2, 3), (2, 3)]),
    "FineGrainedStructureMapping": (
        lambda: layers.FineGrainedStructureMapping(name="mapping"),
        [(2, 3, 4), (2, 12, 6)],
    ),
    "FusedBatchNormalization": (lambda: layers.FusedBatchNormalization(name="norm"), [(2, 4, 4, 3)]),
    "MatMulLayer": (lambda: layers.MatMulLayer(5, axis=-2, name="matmul"), [(2, 7, 8)]),
    "NetVLAD": (lambda: layers.NetVLAD(3, 12, name="netvlad"), [(2, 7, 8)]),
    "SSRLayer": (lambda: layers.SSRLayer(), [(2, 3, 3), (2, 3), (2, 3)]),
    "SplitMirrored": (lambda: layers.SplitMirrored(), [(4, 3)]),
    "VarianceScoring": (lambda: layers.VarianceScoring(), [(2, 4, 4, 8)]),
}


def layer_output(name: str) -> np.ndarray:
    """The output of a layer's case, float32; several outputs are stacked."""
    make, shapes = CASES[name]
    inputs = [numbers(f"{name} input {i}", shape) for i, shape in enumerate(shapes)]
    layer = make()
    if name == "SSRLayer":
        inputs = [[part / 4] for part in inputs]  # one stage
    arguments = [inputs] if name == "ExpectedError" else inputs
    layer(*arguments)  # builds it
    set_weights(layer)
    outputs = layer(*arguments)
    if isinstance(outputs, list | tuple):
        return np.stack([keras.ops.convert_to_numpy(output) for output in outputs])
    return keras.ops.convert_to_numpy(outputs)
