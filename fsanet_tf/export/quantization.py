"""8-bit quantization for phones: which operations can be integers is measured, not listed.

Rounding hurts where the channels of one tensor differ in range, since they share a scale, and where
small errors add up over a bright image. So the network is first rewritten, exactly in float, to be
round-off friendly: the first separable convolutions become plain ones, whose input is the image, an
integer already; channels between a ReLU and the convolutions that read it, and those within separable
convolutions, get equal ranges (Nagel et al., Data-Free Quantization Through Weight Equalization, ICCV 2019).
What can be rewritten is found from the Keras graph, so that it works for backbones of extensions too. Then
the convolutions and large dense layers become int8, and every other kind of large operation is tried in turn.
"""

import contextlib
import dataclasses
import io
import math
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from keras import layers
from tqdm import tqdm

from fsanet_tf.errors import optional_dependencies
from fsanet_tf.export.operations import Operation, read_operations
from fsanet_tf.networks.card import BOX_OFFSET, FACE_SCORE, POSE, UNCERTAINTY
from fsanet_tf.networks.runtimes import run_tflite
from fsanet_tf.parallel import default_threads

CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
DENSE = ("FULLY_CONNECTED", "BATCH_MATMUL")
LARGE = 1024  # values: of a weight that is worth rounding, of an output that is worth keeping in integers
NO_KERNEL = "AVERAGE_POOL_2D"  # XNNPACK has no integer kernel for it: in int8 it costs time
TANH_RANGE = 3.0  # tanh(3) = 0.995; beyond, finer steps around zero are worth more
INT8_MAX = 127
MAX_DAMAGE_DEG = 0.02
TRIAL_FACES = 64
# What outputs may be, whatever the representative faces show; int16 outputs have these ranges.
OUTPUT_RANGES = {
    POSE: (-180.0, 180.0),
    UNCERTAINTY: (0.0, 180.0),
    BOX_OFFSET: (-2.0, 2.0),
    FACE_SCORE: (0.0, 1.0),
}
POOLINGS = (layers.AveragePooling2D, layers.MaxPooling2D)
READERS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
Readers = Mapping[int, Sequence[keras.Operation]]


@dataclasses.dataclass(frozen=True)
class Trial:
    """The effect of one kind of operation in int8.

    Attributes:
        kind: TFLite's name of it.
        operations: Number of them with outputs of at least 1,024 values; smaller ones stay in float.
        damage_deg: Additional mean difference of the poses from float32; None if the file then does not
            run.
        int8: Whether they are integers in the result, where their inputs are.
    """

    kind: str
    operations: int
    damage_deg: float | None
    int8: bool


def ready_for_int8(model: keras.Model, faces: np.ndarray) -> keras.Model:
    """Rewrite a network so that its weights and activations lose little when rounded.

    Args:
        model: The network, or a fusion.
        faces: float32 crops `(N, size, size, 3)`, representative of the input.
    """
    ready = keras.models.clone_model(model, clone_function=_clone_layer(model))
    _copy_weights(model, ready)
    for network in (ready, *(layer for layer in ready.layers if isinstance(layer, keras.Model))):
        _equalize_channels(network, faces)
        _equalize_depthwise(network, faces)
    return ready


def _clone_layer(network: keras.Model) -> Callable[[layers.Layer], layers.Layer]:
    """Return what clones the layers of a network: separable convolutions of the image become plain ones."""

    def clone(layer: layers.Layer) -> layers.Layer:
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, clone_function=_clone_layer(layer))
        if isinstance(layer, layers.SeparableConv2D) and layer.input is network.inputs[0]:
            options = ("filters", "kernel_size", "strides", "padding", "use_bias", "activation", "name")
            return layers.Conv2D(**{option: getattr(layer, option) for option in options})
        return layer.__class__.from_config(layer.get_config())

    return clone


def _copy_weights(source: keras.Model, target: keras.Model) -> None:
    for old, new in zip(source.layers, target.layers, strict=True):
        if isinstance(old, keras.Model):
            _copy_weights(old, new)
        elif type(old) is type(new):
            new.set_weights(old.get_weights())
        else:
            depthwise, pointwise, *bias = old.get_weights()
            pointwise = pointwise[0, 0].reshape(*depthwise.shape[2:], -1)  # (channels, multiplier, filters)
            kernel = np.einsum("hwim,imo->hwio", depthwise, pointwise)
            new.set_weights([_round_keeping_sums(kernel), *bias])


def _round_keeping_sums(kernel: np.ndarray) -> np.ndarray:
    """Round a kernel to its int8 grid so that the sum of each filter stays the same.

    Pixels are never negative: an error of a filter's sum would shift its output with the brightness.
    """
    scale = np.abs(kernel).max((0, 1, 2)) / INT8_MAX
    exact = (kernel / scale).reshape(-1, kernel.shape[-1])
    rounded = np.round(exact)
    for error, column in zip((exact - rounded).T, rounded.T, strict=True):
        missing = round(error.sum())
        order = np.argsort(-np.sign(missing) * error, kind="stable")
        order = order[np.abs(column[order]) < INT8_MAX]
        column[order[: abs(missing)]] += np.sign(missing)
    return (rounded * scale).reshape(kernel.shape)


def _equalize_channels(network: keras.Model, faces: np.ndarray) -> None:
    """Scale each channel after a ReLU to a range of one, and the weights that read it accordingly."""
    found = list(_rescalings(network))
    outputs = [activation.output for _, activation, _ in found]
    for (norm, _, convolutions), maps in zip(found, _predict_maps(network, outputs, faces), strict=True):
        scale = _channel_ranges(maps)
        norm.gamma.assign(norm.gamma / scale)
        norm.beta.assign(norm.beta / scale)
        for convolution in convolutions:
            separable = isinstance(convolution, layers.SeparableConv2D)
            kernel = convolution.depthwise_kernel if separable else convolution.kernel
            kernel.assign(kernel * scale[:, None])


def _rescalings(network: keras.Model) -> Iterator[tuple[layers.Layer, layers.Layer, list[layers.Layer]]]:
    """Find normalizations that may be divided by any scale, if what reads them is multiplied by it.

    Yields:
        The normalization; a ReLU, which alone reads it; and the convolutions that alone read the ReLU,
        directly or through a pooling.
    """
    readers: dict[int, list[keras.Operation]] = defaultdict(list)
    for operation in network.operations:
        for tensor in keras.tree.flatten(operation.input):
            readers[id(tensor)].append(operation)
    for tensor in network.outputs:
        readers[id(tensor)].append(network)
    for norm in network.layers:
        if not isinstance(norm, layers.BatchNormalization) or not (norm.scale and norm.center):
            continue
        after = readers[id(norm.output)]
        if len(after) == 1 and _is_relu(after[0]):
            convolutions = _convolutions_after(after[0].output, readers)
            if convolutions:
                yield norm, after[0], convolutions


def _is_relu(operation: keras.Operation) -> bool:
    """Return whether `f(a · x) = a · f(x)` for every positive `a`."""
    if isinstance(operation, layers.Activation):
        return operation.activation in (keras.activations.relu, keras.activations.leaky_relu)
    plain = isinstance(operation, layers.ReLU) and operation.max_value is None and not operation.threshold
    return plain or isinstance(operation, layers.LeakyReLU)


def _convolutions_after(tensor: keras.KerasTensor, readers: Readers) -> list[layers.Layer]:
    """Return the convolutions that read a tensor, directly or through a pooling; none if others do too."""
    found: list[layers.Layer] = []
    for reader in readers[id(tensor)]:
        if isinstance(reader, POOLINGS):
            further = _convolutions_after(reader.output, readers)
            if not further:
                return []
            found += further
        elif isinstance(reader, READERS) and getattr(reader, "groups", 1) == 1:
            found.append(reader)
        else:
            return []
    return found


def _equalize_depthwise(network: keras.Model, faces: np.ndarray) -> None:
    """Scale each channel between the two halves of a separable convolution to a range of one."""
    separable = [layer for layer in network.layers if isinstance(layer, layers.SeparableConv2D)]
    inputs = _predict_maps(network, [layer.input for layer in separable], faces)
    for layer, maps in zip(separable, inputs, strict=True):
        middle = keras.ops.depthwise_conv(
            maps, layer.depthwise_kernel, layer.strides, layer.padding, dilation_rate=layer.dilation_rate
        )
        scale = _channel_ranges(keras.ops.convert_to_numpy(middle))
        depthwise = layer.depthwise_kernel
        depthwise.assign(depthwise / scale.reshape(depthwise.shape[2:]))
        layer.pointwise_kernel.assign(layer.pointwise_kernel * scale[:, None])


def _predict_maps(
    network: keras.Model, tensors: Sequence[keras.KerasTensor], faces: np.ndarray
) -> Sequence[np.ndarray]:
    """Compute inner tensors of a network, all in one pass over the faces."""
    if not tensors:
        return []
    maps = keras.Model(network.inputs[0], list(tensors))(faces, training=False)  # predict would trace each
    return [keras.ops.convert_to_numpy(values) for values in keras.tree.flatten(maps)]


def _channel_ranges(maps: np.ndarray) -> np.ndarray:
    """Largest magnitude per channel of `(N, height, width, channels)`; never zero."""
    ranges = np.abs(maps).max((0, 1, 2))
    return np.maximum(ranges, max(1e-3 * ranges.max(), 1e-6))


class Quantizer:
    """Rewrite a float32 `.tflite` file with 8-bit operations.

    Args:
        content: The file, of one face per call.
        faces: float32 crops `(N, size, size, 3)` that determine the ranges.
        integer_io: int8 input (the pixel minus 128) and int16 output.
    """

    def __init__(self, content: bytes, faces: np.ndarray, integer_io: bool = False):
        with optional_dependencies():
            from ai_edge_quantizer import quantizer
        self._content, self._faces, self._integer_io = content, faces, integer_io
        self._make = quantizer.Quantizer
        self.operations = read_operations(content)
        self._ranges = self._calibrate()

    def _calibrate(self) -> dict:
        with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
            file.write(self._content)
            file.flush()
            calibrator = self._make(file.name)
            calibrator.add_static_config(".*", "*", activation_num_bits=8, weight_num_bits=8)
            samples = [{"image": face[None]} for face in self._faces]
            with _quiet():
                ranges = calibrator.calibrate({"serving_default": samples})
        into_tanh = {operation.inputs[0] for operation in self.operations if operation.kind == "TANH"}
        for name in into_tanh & set(ranges):
            ranges[name]["min"] = np.maximum(ranges[name]["min"], -TANH_RANGE)
            ranges[name]["max"] = np.minimum(ranges[name]["max"], TANH_RANGE)
        signature = Interpreter(model_content=self._content).get_signature_runner()
        limits = {signature.get_input_details()["image"]["name"]: (0.0, 255.0)}
        for name, tensor in signature.get_output_details().items():
            if name in OUTPUT_RANGES:
                limits[tensor["name"]] = OUTPUT_RANGES[name]
        for tensor, (low, high) in limits.items():
            ranges[tensor] = {
                "min": np.full_like(ranges[tensor]["min"], low),
                "max": np.full_like(ranges[tensor]["max"], high),
            }
        return ranges

    def quantize(self, integers: Sequence[Operation]) -> bytes:
        """Return the file with convolutions, large dense layers and `integers` in int8."""
        result = self._make(bytearray(self._content))
        for kind in CONVOLUTIONS:
            result.add_static_config(".*", kind, activation_num_bits=8, weight_num_bits=8)
        for operation in self.operations:
            if operation.kind in DENSE and operation.num_weights >= LARGE:
                result.add_dynamic_config(_scope(operation), operation.kind, num_bits=8)
        for operation in integers:
            result.add_static_config(
                _scope(operation), operation.kind, activation_num_bits=8, weight_num_bits=8
            )
        if self._integer_io:
            result.add_static_config(".*", "INPUT", activation_num_bits=8, weight_num_bits=8)
            result.add_static_config(".*", "OUTPUT", activation_num_bits=16, weight_num_bits=8)
        with _quiet():
            return bytes(result.quantize(self._ranges).quantized_model)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the quantizer's own progress bars and statistics."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _scope(operation: Operation) -> str:
    return re.escape(operation.output) + ";"


def quantize(
    content: bytes, faces: np.ndarray, integer_io: bool = False, progress: bool = False
) -> tuple[bytes, list[Trial]]:
    """Quantize a float32 `.tflite` file to int8, wherever that is harmless and worthwhile.

    Args:
        content: The file, of a network that is `ready_for_int8`, for one face per call.
        faces: float32 crops `(N, size, size, 3)`, the representative set.
        integer_io: int8 input (the pixel minus 128) and int16 outputs.
        progress: Whether to show a progress bar.

    Returns:
        The new file, and the effect of each kind of operation on the poses of the first faces.
    """
    quantizer = Quantizer(content, faces, integer_io)
    shown = faces[:TRIAL_FACES]
    float_poses = _poses(content, shown)

    def damage(integers: Sequence[Operation]) -> float:
        return float(np.abs(_poses(quantizer.quantize(integers), shown) - float_poses).mean())

    groups: dict[str, list[Operation]] = defaultdict(list)
    for operation in quantizer.operations:
        left_out = operation.kind in (*CONVOLUTIONS, NO_KERNEL) or operation.num_weights >= LARGE
        if _is_large(operation) and not left_out:
            groups[operation.kind].append(operation)
    floor = damage([])
    trials = []
    for kind, operations in tqdm(
        sorted(groups.items()), desc="int8 trials", unit="kind", leave=False, position=0, disable=not progress
    ):
        try:
            worse = damage(operations) - floor
        except (ValueError, RuntimeError):
            worse = None  # the quantizer or the runtime has no such integer operation
        int8 = worse is not None and worse <= MAX_DAMAGE_DEG
        trials.append(Trial(kind, len(operations), worse, int8))
    harmless = {trial.kind for trial in trials if trial.int8}
    return quantizer.quantize(_after_integers(quantizer.operations, harmless)), trials


def _is_large(operation: Operation) -> bool:
    return math.prod(operation.output_shape) >= LARGE


def _after_integers(operations: Sequence[Operation], kinds: set[str]) -> list[Operation]:
    """Return the large operations of these kinds that follow integers; others would need conversions."""
    integers: set[str] = set()
    chosen = []
    for operation in operations:
        if operation.kind in kinds and _is_large(operation) and integers.issuperset(operation.inputs):
            chosen.append(operation)
            integers.add(operation.output)
        elif operation.kind in CONVOLUTIONS:
            integers.add(operation.output)
    return chosen


def _poses(content: bytes, faces: np.ndarray) -> np.ndarray:
    run, _ = run_tflite(Path("trial.tflite"), content, default_threads())
    return run(faces)[POSE]
