"""Checks of TensorFlow graphs from unknown sources, before anything of them runs.

A frozen graph and a SavedModel are programs: loading and calling them can read and write files, open sockets
and call Python. A network needs none of that, so operations that could are refused. `.tflite` and `.onnx`
files contain only arithmetic, and `.keras` and `.h5` files are read without running code of theirs.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fsanet_tf.errors import InputError, optional_dependencies

# Operations that TensorFlow does not call stateful, but that touch files, sockets or Python all the same.
SUSPICIOUS = re.compile(
    r"File|Debug|PyFunc|Dataset|Summary|Shard|Remote|Rpc|Snapshot|Reader|Checkpoint|Xla|TPU|Save|Restore"
)
# Stateful operations that touch only the graph's own variables and control flow.
HARMLESS = {
    "Assert",
    "AssignVariableOp",
    "Case",
    "If",
    "PartitionedCall",
    "RandomStandardNormal",
    "RandomUniform",
    "ReadVariableOp",
    "StatefulPartitionedCall",
    "VarHandleOp",
    "VarIsInitializedOp",
    "While",
}
LOOPS = re.compile(r"Tensor(Array|List)\w*")  # values that a loop collects
SAVER = re.compile(
    r"__inference__traced_(save|restore)_\d+"
)  # in every SavedModel; loading does not call them


def require_harmless(path: Path, nodes: Iterable[Any]) -> None:
    """Refuse nodes of a graph whose operations could reach beyond it.

    Raises:
        InputError: If there is one; the message names the operation.
    """
    from tensorflow.python.framework import op_def_registry

    for node in nodes:
        definition = op_def_registry.get(node.op)
        known = definition is not None and not SUSPICIOUS.search(node.op)
        harmless = node.op in HARMLESS or LOOPS.fullmatch(node.op)
        if not known or (definition.is_stateful and not harmless):
            raise InputError(
                f"{path}: contains the operation {node.op}, which could read or write files, open a "
                "connection or call Python; if you trust its source, load it with trust=True (--trust)"
            )


def check_frozen_graph(path: Path, graph_def: Any) -> None:
    """Refuse a frozen graph with operations that could reach beyond it.

    Raises:
        InputError: If there is one.
    """
    _check_graph(path, graph_def)


def check_saved_model(path: Path) -> None:
    """Refuse a SavedModel with operations that could reach beyond it, in what loading and calling run.

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
        _check_graph(path, meta_graph.graph_def)


def _check_graph(path: Path, graph_def: Any) -> None:
    """Check the nodes of a graph and of its functions; a saver's functions only if something calls them."""
    functions = {function.signature.name: function for function in graph_def.library.function}
    require_harmless(path, graph_def.node)
    callers = [f.node_def for name, f in functions.items() if not SAVER.fullmatch(name)]
    called = {name for nodes in callers for node in nodes for name in _callees(node)}
    for name, function in functions.items():
        if not SAVER.fullmatch(name) or name in called:
            require_harmless(path, function.node_def)


def _callees(node: Any) -> Iterable[str]:
    """Names of the functions that a node may call."""
    for attribute in node.attr.values():
        if attribute.func.name:
            yield attribute.func.name
        yield from (function.name for function in attribute.list.func)
