"""The operations of a `.tflite` file."""

import dataclasses
import math

from ai_edge_litert.tools import flatbuffer_utils

FLOAT32 = "FLOAT32"


@dataclasses.dataclass(frozen=True)
class Operation:
    """An operation of the file's graph.

    Attributes:
        kind: TFLite's name of it, such as `CONV_2D`.
        inputs: Names of its input tensors, without constants.
        output: Name of its first output.
        output_shape: Its shape.
        output_type: Its type, such as `FLOAT32`.
        num_weights: Values in its largest constant input; 0 if there is none.
        weight_type: Type of that input.
    """

    kind: str
    inputs: tuple[str, ...]
    output: str
    output_shape: tuple[int, ...]
    output_type: str
    num_weights: int
    weight_type: str | None


def read_operations(content: bytes) -> list[Operation]:
    """Read the operations of the first subgraph, in order."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    graph = model.subgraphs[0]

    def is_constant(tensor) -> bool:
        data = model.buffers[tensor.buffer].data
        return data is not None and len(data) > 0

    operations = []
    for operator in graph.operators:
        inputs = [graph.tensors[i] for i in operator.inputs if i >= 0]
        output = graph.tensors[operator.outputs[0]]
        weights = max(filter(is_constant, inputs), key=lambda t: math.prod(t.shape), default=None)
        operations.append(
            Operation(
                kind=flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex),
                inputs=tuple(tensor.name.decode() for tensor in inputs if not is_constant(tensor)),
                output=output.name.decode(),
                output_shape=tuple(map(int, output.shape)),
                output_type=flatbuffer_utils.type_to_name(output.type),
                num_weights=0 if weights is None else math.prod(map(int, weights.shape)),
                weight_type=None if weights is None else flatbuffer_utils.type_to_name(weights.type),
            )
        )
    return operations
