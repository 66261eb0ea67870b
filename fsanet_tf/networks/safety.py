"""Checks of TensorFlow graphs from unknown sources, before anything of them runs.

A frozen graph and a SavedModel are programs: loading and calling them can read and write files, open sockets
and call Python. A network needs none of that, so only the operations that networks consist of are allowed.
`.tflite` and `.onnx` files contain only arithmetic, and `.keras` and `.h5` files are read without running
code of theirs.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fsanet_tf.errors import InputError, optional_dependencies

# What the original's graphs, our exports and Keras's consist of, and the arithmetic of networks of
# extensions: numbers; layers; shapes and types; pictures from bytes; functions, branches, loops and the
# values that loops collect; weights that are not constants.
OPERATIONS = """
Abs Acos Add AddN AddV2 Asin Atan Atan2 Ceil Cos Cross Cumsum Div DivNoNan Erf Exp Expm1 Floor FloorDiv
FloorMod Inv L2Loss Log Log1p Maximum Minimum Mod Mul MulNoNan Neg Pow RealDiv Reciprocal Rint Round Rsqrt
Sign Sin Sqrt Square SquaredDifference Sub Tan Tanh All Any ArgMax ArgMin Max Mean Min Prod Sum TopKV2
BatchMatMul BatchMatMulV2 Einsum MatMul Equal Greater GreaterEqual IsFinite IsInf IsNan Less LessEqual
LogicalAnd LogicalNot LogicalOr NotEqual Select SelectV2 Where BitwiseAnd BitwiseOr LeftShift RightShift

AvgPool BiasAdd Conv2D DepthwiseConv2dNative Elu FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 LeakyRelu
MaxPool Relu Relu6 Selu Sigmoid Softmax Softplus

BatchToSpaceND BroadcastTo Cast ClipByValue ConcatV2 Const DepthToSpace EnsureShape ExpandDims Fill Gather
GatherNd GatherV2 Identity IdentityN LinSpace MirrorPad NoOp OneHot OnesLike Pack Pad PadV2 Placeholder
PlaceholderWithDefault PreventGradient Range Rank Reshape ReverseV2 Shape ShapeN Size Slice SpaceToBatchND
SpaceToDepth Split SplitV Squeeze StopGradient StridedSlice Tile Transpose Unpack ZerosLike

DecodeImage DecodeJpeg DecodePng DecodeRaw ResizeBilinear Substr

Case Enter Exit If LoopCond Merge NextIteration PartitionedCall StatefulPartitionedCall StatelessCase
StatelessIf StatelessWhile Switch While TensorArrayGatherV3 TensorArrayReadV3 TensorArrayScatterV3
TensorArraySizeV3 TensorArrayV3 TensorArrayWriteV3 TensorListElementShape TensorListFromTensor
TensorListGetItem TensorListLength TensorListReserve TensorListSetItem TensorListStack

AssignVariableOp ReadVariableOp VarHandleOp VarIsInitializedOp VariableV2
"""
ALLOWED = frozenset(OPERATIONS.split())
SAVER = re.compile(
    r"__inference__traced_(save|restore)_\d+"
)  # in every SavedModel; loading does not call them


def require_allowed(path: Path, nodes: Iterable[Any]) -> None:
    """Refuse nodes of a graph whose operations are not those of a network.

    Raises:
        InputError: If there is one; the message names the operation.
    """
    for node in nodes:
        if node.op not in ALLOWED:
            raise InputError(
                f"{path}: contains the operation {node.op}, which is not one of a network and might read or "
                "write files, open a connection or call Python; if you trust its source, load it with "
                "the option trust"
            )


def check_frozen_graph(path: Path, graph_def: Any) -> None:
    """Refuse a frozen graph with operations other than a network's.

    Raises:
        InputError: If there is one.
    """
    for nodes in (graph_def.node, *(function.node_def for function in graph_def.library.function)):
        require_allowed(path, nodes)


def check_saved_model(path: Path) -> None:
    """Refuse a SavedModel with operations other than a network's, in what loading and calling run.

    Raises:
        InputError: If there is one, or the folder does not contain a SavedModel.
    """
    with optional_dependencies():
        from google.protobuf.message import DecodeError
        from tensorflow.core.protobuf import saved_model_pb2

    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString((path / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise InputError(f"{path}: expected a SavedModel folder ({error})") from error
    for meta_graph in saved_model.meta_graphs:
        graph_def = meta_graph.graph_def
        # Without a graph of objects, or with several graphs, TensorFlow loads it in another way.
        is_usual = len(saved_model.meta_graphs) == 1 and meta_graph.HasField("object_graph_def")
        exempt = _uncalled_savers(meta_graph) if is_usual else set()
        require_allowed(path, graph_def.node)
        for function in graph_def.library.function:
            if function.signature.name not in exempt:
                require_allowed(path, function.node_def)


def _uncalled_savers(meta_graph: Any) -> set[str]:
    """Return the functions with a saver's name that neither loading, a signature nor a function calls."""
    functions = meta_graph.graph_def.library.function
    called = set(meta_graph.object_graph_def.concrete_functions)
    called |= {name for function in functions for node in function.node_def for name in _callees(node)}
    return {name for f in functions if SAVER.fullmatch(name := f.signature.name)} - called


def _callees(node: Any) -> Iterable[str]:
    """Names of the functions that a node may call."""
    for attribute in node.attr.values():
        if attribute.func.name:
            yield attribute.func.name
        yield from (function.name for function in attribute.list.func)
