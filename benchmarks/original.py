"""The original's network in its own TensorFlow 1, in another process.

`python3.7 -m venv tf1 && tf1/bin/pip install tensorflow==1.14.0 'protobuf<3.21' 'numpy<1.19'` makes what
`--original_python=tf1/bin/python` asks for.
"""

import struct
import subprocess
from pathlib import Path
from typing import cast

import numpy as np
from absl import flags

from benchmarks.peers import Peer
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import IMAGE_SIZE
from fsanet_tf.networks.runtimes import FROZEN_INPUT, FROZEN_OUTPUT

TENSORFLOW_1 = "original's frozen graph, TensorFlow 1"
EXPECTED = "--original_python={}: expected a Python with TensorFlow 1"

# Answers counted float32 crops on standard input with poses on standard output; Python 3.5 reads it.
SERVER = """
import os, struct, sys
answers, sys.stdout = os.fdopen(os.dup(1), "wb"), sys.stderr
import numpy as np
import tensorflow as tf
path, image, pose, threads = sys.argv[1:]
graph_def = tf.compat.v1.GraphDef()
graph_def.ParseFromString(open(path, "rb").read())
tf.import_graph_def(graph_def, name="")
threads = int(threads)
config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
session = tf.compat.v1.Session(config=config)
while True:
    head = sys.stdin.buffer.read(8)
    if not head:
        break
    count, size = struct.unpack("<ii", head)
    pixels = sys.stdin.buffer.read(4 * 3 * count * size * size)
    crops = np.frombuffer(pixels, np.float32).reshape(count, size, size, 3)
    answers.write(session.run(pose + ":0", {image + ":0": crops}).astype(np.float32).tobytes())
    answers.flush()
"""


def define_original_python() -> None:
    """Define the flag that names such a Python."""
    flags.DEFINE_string("original_python", None, "A Python with TensorFlow 1, to run the original by it too.")


def start_server(python: str, path: Path, num_threads: int) -> subprocess.Popen:
    """Another Python that runs a frozen graph, until its input is closed."""
    command = [python, "-c", SERVER, str(path), FROZEN_INPUT, FROZEN_OUTPUT, str(num_threads)]
    try:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise InputError(f"{EXPECTED.format(python)} ({error.strerror})") from error


def ask(server: subprocess.Popen, crops: np.ndarray) -> np.ndarray:
    """Poses `(N, 3)` of float32 crops `(N, size, size, 3)`, from the server."""
    assert server.stdin and server.stdout  # they are pipes
    try:
        server.stdin.write(struct.pack("<ii", *crops.shape[:2]) + crops.tobytes())
        server.stdin.flush()
        answer = server.stdout.read(12 * len(crops))
        return np.frombuffer(answer, np.float32).reshape(len(crops), 3)
    except (OSError, ValueError) as error:
        raise InputError(EXPECTED.format(cast(list[str], server.args)[0])) from error


def original_network(python: str, path: Path, num_threads: int) -> Peer:
    """A frozen graph, run by another Python's TensorFlow; the pipe costs less than a hundredth of a call.

    Raises:
        InputError: If there is no such Python, or it has no TensorFlow that runs the graph.
    """
    process = start_server(python, path, num_threads)
    return Peer(TENSORFLOW_1, IMAGE_SIZE, lambda crops: ask(process, crops))
