"""The program in an `.mlpackage`, computed by TensorFlow: CoreML itself runs on Apple's systems only."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from fsanet_tf.export.coreml import IMAGE, import_coremltools
from fsanet_tf.networks.card import CARD_KEY, NetworkCard
from fsanet_tf.networks.runtimes import Outputs

Inputs = Mapping[str, Any]  # of an operation, by MIL's names


class CoreMLProgram:
    """The program and weights in an `.mlpackage`, computed by TensorFlow operation by operation.

    This says whether the file computes what the network does, not what a device's processors round.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path):
        ct = import_coremltools()
        from coremltools.converters.mil.frontend.milproto.load import load

        package = ct.models.MLModel(str(path), skip_model_load=True)
        spec = package.get_spec()
        program = load(spec, spec.specificationVersion, file_weights_dir=package.weights_dir)
        self.name = path.name
        self.card = NetworkCard.from_json(json.loads(package.user_defined_metadata[CARD_KEY]))
        self.image_size = spec.description.input[0].type.imageType.width
        self._block = program.functions["main"]

    def predict(self, crops: np.ndarray, /) -> Outputs:
        """Predict, as `Network.predict`."""
        answers = [self._run(crop.transpose(2, 0, 1)[None]) for crop in crops]  # (1, 3, size, size)
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}

    def _run(self, image: np.ndarray) -> Outputs:
        values: dict[str, Any] = {IMAGE: tf.constant(image)}

        def value(variable: Any) -> Any:
            if isinstance(variable, list | tuple):
                return [value(item) for item in variable]
            return values.get(variable.name, variable.val)

        for op in self._block.operations:
            if op.op_type != "const":
                inputs = {key: value(item) for key, item in op.inputs.items() if item is not None}
                results = OPERATIONS[op.op_type](inputs)
                for output, result in zip(
                    op.outputs, results if len(op.outputs) > 1 else [results], strict=True
                ):
                    values[output.name] = result
        return {output.name: values[output.name].numpy() for output in self._block.outputs}


def _unary(function: Callable) -> Callable[[Inputs], Any]:
    return lambda i: function(i["x"])


def _binary(function: Callable) -> Callable[[Inputs], Any]:
    return lambda i: function(i["x"], i["y"])


def _reduce(function: Callable) -> Callable[[Inputs], Any]:
    return lambda i: function(i["x"], axis=i["axes"].tolist(), keepdims=bool(i["keep_dims"]))


def _channels_last(values: Any) -> Any:
    return tf.transpose(values, (0, 2, 3, 1))


def _channels_first(values: Any) -> Any:
    return tf.transpose(values, (0, 3, 1, 2))


def _conv(i: Inputs) -> Any:
    kernel = tf.transpose(i["weight"], (2, 3, 1, 0))  # (height, width, channels / groups, filters)
    result = tf.nn.conv2d(
        _channels_last(i["x"]),
        kernel,
        i["strides"].tolist(),
        i["pad_type"].upper(),
        dilations=i["dilations"].tolist(),
    )
    return _channels_first(result + i["bias"] if "bias" in i else result)


def _pool(kind: str) -> Callable[[Inputs], Any]:
    def pool(i: Inputs) -> Any:
        window, strides = i["kernel_sizes"].tolist(), i["strides"].tolist()
        pooled = tf.nn.pool(_channels_last(i["x"]), window, kind, strides, i["pad_type"].upper())
        return _channels_first(pooled)

    return pool


def _slice(i: Inputs) -> Any:
    def axis(begin: int, end: int, stride: int, from_start: bool, to_end: bool, single: bool) -> slice | int:
        if single:
            return begin
        return slice(None if from_start else begin, None if to_end else end, stride)

    rank = len(i["begin"])
    masks = (i.get(name, [False] * rank) for name in ("begin_mask", "end_mask", "squeeze_mask"))
    strides = i.get("stride", [1] * rank)
    return i["x"][tuple(axis(*parts) for parts in zip(i["begin"], i["end"], strides, *masks, strict=True))]


def _expand(i: Inputs) -> Any:
    values = i["x"]
    for axis in sorted(i["axes"].tolist()):
        values = tf.expand_dims(values, axis)
    return values


# What MIL's operations, of which the networks of this package consist, do with their inputs.
OPERATIONS: dict[str, Callable[[Inputs], Any]] = {
    "add": _binary(tf.add),
    "sub": _binary(tf.subtract),
    "mul": _binary(tf.multiply),
    "real_div": _binary(tf.divide),
    "maximum": _binary(tf.maximum),
    "cos": _unary(tf.cos),
    "relu": _unary(tf.nn.relu),
    "sigmoid": _unary(tf.sigmoid),
    "sin": _unary(tf.sin),
    "softplus": _unary(tf.nn.softplus),
    "sqrt": _unary(tf.sqrt),
    "tanh": _unary(tf.tanh),
    "rsqrt": lambda i: tf.math.rsqrt(i["x"] + i["epsilon"]),
    "softmax": lambda i: tf.nn.softmax(i["x"], int(i["axis"])),
    "reduce_mean": _reduce(tf.reduce_mean),
    "reduce_sum": _reduce(tf.reduce_sum),
    "avg_pool": _pool("AVG"),
    "max_pool": _pool("MAX"),
    "conv": _conv,
    "linear": lambda i: tf.matmul(i["x"], i["weight"], transpose_b=True) + i.get("bias", 0.0),
    "matmul": lambda i: tf.matmul(
        i["x"], i["y"], transpose_a=bool(i["transpose_x"]), transpose_b=bool(i["transpose_y"])
    ),
    "concat": lambda i: tf.concat(i["values"], int(i["axis"])),
    "stack": lambda i: tf.stack(i["values"], int(i["axis"])),
    "expand_dims": _expand,
    "reshape": lambda i: tf.reshape(i["x"], i["shape"]),
    "reverse": lambda i: tf.reverse(i["x"], i["axes"].tolist()),
    "slice_by_index": _slice,
    "split": lambda i: tf.split(
        i["x"], i["split_sizes"].tolist() if "split_sizes" in i else int(i["num_splits"]), i["axis"]
    ),
    "squeeze": lambda i: tf.squeeze(i["x"], i["axes"].tolist() if "axes" in i else None),
    "transpose": lambda i: tf.transpose(i["x"], i["perm"]),
}
