"""Graphs that reach beyond themselves are refused before they run; our own exports are not."""

import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import saved_model_pb2

from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.export.formats import export_saved_model
from fsanet_tf.networks.card import NetworkCard
from fsanet_tf.networks.network import load_network
from fsanet_tf.networks.runtimes import FROZEN_INPUT, FROZEN_OUTPUT
from tests.small_networks import pooled

TRAPS = {
    "WriteFile": lambda image, path: tf.io.write_file(path, "caught"),
    "ReadFile": lambda image, path: tf.io.read_file(path),
    "PyFunc": lambda image, path: tf.compat.v1.py_func(lambda: np.float32(1), [], tf.float32),
    "GenerateVocabRemapping": lambda image, path: tf.raw_ops.GenerateVocabRemapping(
        new_vocab_file=path, old_vocab_file=path, new_vocab_offset=0, num_new_vocab=1
    ),
    "DecodeProtoV2": lambda image, path: tf.raw_ops.DecodeProtoV2(
        bytes=["x"], message_type="m", field_names=[], output_types=[], descriptor_source=path
    ),
    "PrintV2": lambda image, path: tf.print("caught", output_stream=f"file://{path}"),
}
NAMES = {"PrintV2": "StringFormat"}  # which its text needs


@pytest.mark.parametrize("operation", TRAPS)
def test_a_frozen_graph_that_reaches_out_is_refused(operation, tmp_path):
    trap = tmp_path / "trap.txt"
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, (None, 64, 64, 3), name=FROZEN_INPUT)
        result = TRAPS[operation](image, str(trap))
        first = result[0] if isinstance(result, tuple) else result
        effects = [first] if isinstance(first, tf.Operation) else [first.op]
        scope, name = FROZEN_OUTPUT.split("/")
        with tf.control_dependencies(effects), tf.name_scope(scope):
            tf.identity(tf.reduce_mean(image, axis=(1, 2)), name=name)
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    with pytest.raises(
        InputError, match=rf"net\.pb: contains the operation {NAMES.get(operation, operation)}\w*, which is"
    ):
        load_network(tmp_path / "net.pb")
    assert not trap.exists()


def test_a_saved_model_that_writes_is_refused_unless_it_is_trusted(tmp_path):
    trap = tmp_path / "trap.txt"
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((None, 64, 64, 3), tf.float32, name="image")])
    def serve(image):
        with tf.control_dependencies([tf.io.write_file(str(trap), "caught")]):
            return {"pose": tf.reduce_mean(image, axis=(1, 2))}

    module.serve = serve
    tf.saved_model.save(module, str(tmp_path / "net"), signatures={"serving_default": serve})
    with pytest.raises(InputError, match="contains the operation WriteFile"):
        load_network(tmp_path / "net")
    assert not trap.exists()
    load_network(tmp_path / "net", trust=True).predict(np.zeros((1, 64, 64, 3), np.float32))
    assert trap.exists()


def test_a_trap_in_a_function_with_a_savers_name_is_refused_if_something_calls_it(tmp_path):
    export_saved_model(pooled(32), tmp_path / "net", NetworkCard(32))
    load_network(tmp_path / "net")  # our own passes
    shutil.copytree(tmp_path / "net", tmp_path / "bad")
    content = (tmp_path / "bad/saved_model.pb").read_bytes()

    saved = saved_model_pb2.SavedModel.FromString(content)
    library = saved.meta_graphs[0].graph_def.library.function
    saver = next(f.signature.name for f in library if "traced_restore" in f.signature.name)
    caller = next(f for f in library if "serving_default" in f.signature.name)
    node = caller.node_def.add(name="call", op="StatefulPartitionedCall")
    node.attr["f"].func.name = saver
    (tmp_path / "bad/saved_model.pb").write_bytes(saved.SerializeToString())
    with pytest.raises(InputError, match="contains the operation RestoreV2"):
        load_network(tmp_path / "bad")


def test_the_originals_frozen_graphs_pass(reference):
    golden = np.load(reference / "golden/aflw2000_outputs.npz")
    faces = load_dataset(reference / "golden/aflw2000_crops_first64.npz")
    for path in sorted((reference / "weights/frozen_graphs").glob("*.pb")):
        poses = load_network(path).predict(faces.images.astype(np.float32))["pose"]
        np.testing.assert_allclose(poses, golden[path.stem][:64], atol=1e-3)


def with_savers_names(message):
    """Rename all functions of a graph as TensorFlow names those that save a SavedModel."""
    text = text_format.MessageToString(message)
    names = set(re.findall(r'name: "(__inference_(?!_traced)\w+_\d+)"', text))
    for number, name in enumerate(sorted(names)):
        text = re.sub(rf"{name}(?!\d)", f"__inference__traced_save_{9000 + number}", text)
    assert names
    return text_format.Parse(text, type(message)())


def test_a_signature_with_a_savers_name_is_checked(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec((None, 64, 64, 3), tf.float32, name="image")])
    def serve(image):
        with tf.control_dependencies([tf.io.write_file(str(tmp_path / "trap.txt"), "caught")]):
            return {"pose": tf.reduce_mean(image, axis=(1, 2))}

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, str(tmp_path / "net"), signatures={"serving_default": serve})
    file = tmp_path / "net/saved_model.pb"
    saved = with_savers_names(saved_model_pb2.SavedModel.FromString(file.read_bytes()))
    file.write_bytes(saved.SerializeToString())
    with pytest.raises(InputError, match="contains the operation WriteFile"):
        load_network(tmp_path / "net")
    assert not (tmp_path / "trap.txt").exists()


def test_no_function_of_a_frozen_graph_is_exempt(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec((None, 64, 64, 3), tf.float32)])
    def inner(image):
        with tf.control_dependencies([tf.io.write_file(str(tmp_path / "trap.txt"), "caught")]):
            return tf.reduce_mean(image, axis=(1, 2))

    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, (None, 64, 64, 3), name=FROZEN_INPUT)
        scope, name = FROZEN_OUTPUT.split("/")
        with tf.name_scope(scope):
            tf.identity(inner(image), name=name)
    (tmp_path / "net.pb").write_bytes(with_savers_names(graph.as_graph_def()).SerializeToString())
    with pytest.raises(InputError, match="contains the operation WriteFile"):
        load_network(tmp_path / "net.pb")
    assert not (tmp_path / "trap.txt").exists()
