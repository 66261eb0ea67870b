"""Networks in their runtimes: LiteRT, ONNX Runtime, Keras, or TensorFlow for SavedModels and frozen graphs.

Each loader takes a path, a number of threads and whether to trust the file, and returns a thread-safe
function from float32 crops `(N, size, size, 3)` to outputs by name, and the size. Crops go through in chunks
whose activations stay in the cache of a core: so memory does not grow with N, and one thread per core is
faster than one call with all threads. Imports are local: a runtime that is not used need not be
installed.
"""

import functools
import os
import statistics
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fsanet_tf.errors import InputError, MissingExtraError, one_line, optional_dependencies
from fsanet_tf.io.files import library_path
from fsanet_tf.networks.card import OUTPUTS, POSE, onnx_session
from fsanet_tf.networks.safety import check_frozen_graph, check_saved_model
from fsanet_tf.parallel import Pool, map_in_threads

Outputs = dict[str, np.ndarray]
Run = Callable[[np.ndarray], Outputs]
Shapes = Mapping[str, Sequence[Any]]  # of tensors by name
Loader = Callable[[Path, int, bool], tuple[Run, int]]

FROZEN_INPUT, FROZEN_OUTPUT = "input_1", "pred_pose/mul_24"  # the original's names
CHUNKS = (4, 2, 1)  # faces per call of a single-threaded interpreter
ONNX_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
MAX_IMAGE_SIZE = 2048
PIXELS = (0, 200)  # that an input of integers must be able to represent, at least
TRIALS = 15  # single faces after which the faster number of threads is kept
TENSORFLOW_CHUNK = 64  # TensorFlow has threads of its own, and more overhead per call


def split(crops: np.ndarray, num_threads: int, sizes: tuple[int, ...] = CHUNKS) -> list[np.ndarray]:
    """Split crops into chunks of few different sizes, small enough that every thread gets one."""
    chunks, start = [], 0
    for size in sizes:
        if size * num_threads > len(crops) and size > 1:
            continue
        while len(crops) - start >= size:
            chunks.append(crops[start : start + size])
            start += size
    return chunks


def _join(parts: list[Outputs]) -> Outputs:
    """Concatenate the outputs of chunks."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _in_threads(run_chunk: Run, sizes: tuple[int, ...], num_threads: int) -> Run:
    def run(crops: np.ndarray) -> Outputs:
        return _join(map_in_threads(run_chunk, split(crops, num_threads, sizes), num_threads))

    return run


def _interface(path: Path, inputs: Shapes, outputs: Shapes) -> tuple[int, dict[str, str]]:
    """Check that a network takes images alone, and returns a pose.

    Returns:
        The side of the square images, and the file's names of our outputs: ours, if there is a `pose`, or
        else that of the only output.
    """
    if len(inputs) != 1:  # nothing says what further ones should be
        raise InputError(f"{path}: expected a network of one input, received {', '.join(inputs) or 'none'}")
    (shape,) = inputs.values()
    size = shape[1] if len(shape) == 4 and shape[1] == shape[2] and shape[3] == 3 else None
    if not isinstance(size, int | np.integer) or not 1 <= size <= MAX_IMAGE_SIZE:
        received = ", ".join(map(str, shape))
        raise InputError(f"{path}: expected a network of (N, S, S, 3), received one of ({received})")
    if POSE in outputs:
        return int(size), {name: name for name in OUTPUTS if name in outputs}
    if [len(shape) == 2 and shape[1] == 3 for shape in outputs.values()] != [True]:
        received = ", ".join(f"{name} ({', '.join(map(str, shape))})" for name, shape in outputs.items())
        raise InputError(f"{path}: expected an output pose (N, 3), received {received}")
    (only,) = outputs
    warnings.warn(f"{path}: its output {only} is taken as yaw, pitch, roll in degrees", stacklevel=2)
    return int(size), {POSE: only}


def _explained(path: str | Path, run_chunk: Run) -> Run:
    """Report what a runtime raises as one line; its errors have no common base."""

    def run(crops: np.ndarray) -> Outputs:
        try:
            return run_chunk(crops)
        except InputError:
            raise
        except Exception as error:
            raise InputError(f"{path}: could not predict ({one_line(error)})") from error

    return run


class Fastest:
    """Choose among functions that return the same by measurement; one thread at a time may call it.

    Calls go to each in turn, until each has been timed `TRIALS` times; then all go to the one with the
    smallest median. Whether more threads predict one face faster depends on the processor and on its load.
    """

    def __init__(self, *ways: Run):
        self._times: dict[Run, list[float]] = {way: [] for way in ways}

    def __call__(self, crops: np.ndarray) -> Outputs:
        way = min(self._times, key=lambda way: len(self._times[way]))
        start = time.perf_counter()
        outputs = way(crops)
        if len(self._times) > 1:
            self._times[way].append(time.perf_counter() - start)
            if min(map(len, self._times.values())) == TRIALS:
                best = min(self._times, key=lambda way: statistics.median(self._times[way]))
                self._times = {best: []}
        return outputs


def load_tflite(path: Path, num_threads: int, trust: bool) -> tuple[Run, int]:
    """Load a `.tflite` file."""
    return run_tflite(path, path.read_bytes(), num_threads)


def run_tflite(path: Path, content: bytes, num_threads: int) -> tuple[Run, int]:
    """Load the content of a `.tflite` file into a pool of single-threaded interpreters.

    A single face of a single caller is predicted with one thread or with all, whichever is faster. The path
    is for messages.
    """
    from ai_edge_litert.interpreter import Interpreter

    def make(batch: int, threads: int = 1) -> Any:
        try:
            interpreter = Interpreter(model_content=content, num_threads=threads)
            for image in interpreter.get_input_details()[:1]:
                if len(image["shape"]) and image["shape"][0] != batch:
                    interpreter.resize_tensor_input(image["index"], (batch, *image["shape"][1:]))
            interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise InputError(f"{path}: expected a .tflite file ({one_line(error)})") from error
        return interpreter

    slots, is_used = threading.Semaphore(num_threads), threading.Lock()
    pools = {batch: Pool(functools.partial(make, batch), slots) for batch in CHUNKS}
    alone = make(1, num_threads)  # a file that cannot be used is refused now
    signatures = list(alone.get_signature_list())
    if signatures:
        tensors = alone.get_signature_runner(signatures[0]).get_output_details()
    else:
        tensors = {tensor["name"]: tensor for tensor in alone.get_output_details()}
    inputs = {image["name"]: image["shape_signature"] for image in alone.get_input_details()}
    size, names = _interface(path, inputs, {name: tensor["shape"] for name, tensor in tensors.items()})
    image = alone.get_input_details()[0]
    _require_pixels(path, image["dtype"], *image["quantization"])
    sizes = CHUNKS if image["shape_signature"][0] == -1 else (1,)
    outputs = {ours: tensors[theirs] for ours, theirs in names.items()}

    def invoke(interpreter: Any, crops: np.ndarray) -> Outputs:
        interpreter.set_tensor(image["index"], _as_type(crops, image["dtype"], *image["quantization"]))
        interpreter.invoke()
        return {
            name: _dequantize(interpreter.get_tensor(output["index"]), output)
            for name, output in outputs.items()
        }

    def run_chunk(crops: np.ndarray) -> Outputs:
        with pools[len(crops)].borrow() as interpreter:
            return invoke(interpreter, crops)

    run_many = _in_threads(run_chunk, sizes, num_threads)
    run_one = Fastest(functools.partial(invoke, alone), *([run_many] if num_threads > 1 else []))

    def run(crops: np.ndarray) -> Outputs:
        if len(crops) == 1 and is_used.acquire(blocking=False):
            try:
                return run_one(crops)
            finally:
                is_used.release()
        return run_many(crops)

    return _explained(path, run), size


def _require_pixels(path: Path, dtype: Any, scale: float = 0.0, zero_point: int = 0) -> None:
    """Refuse a type of images that cannot represent pixels, as that of a network for values in [0, 1]."""
    low, high = -np.inf, np.inf
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        low, high = ((int(limit) - zero_point) * (scale or 1.0) for limit in (limits.min, limits.max))
    if np.issubdtype(dtype, np.bool_) or low > PIXELS[0] or high < PIXELS[1]:
        received = np.dtype(dtype).name if np.isinf(low) else f"{np.dtype(dtype).name} of {low:g} to {high:g}"
        raise InputError(f"{path}: expected images of pixels from 0 to 255, received {received}")


def _as_type(values: np.ndarray, dtype: Any, scale: float = 0.0, zero_point: int = 0) -> np.ndarray:
    """Convert float32 values to a tensor's type; integers are rounded, with its scale if it has one."""
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        values = np.clip(np.round(values / (scale or 1.0)) + zero_point, limits.min, limits.max)
    return values.astype(dtype, copy=False)


def _dequantize(values: np.ndarray, tensor: dict) -> np.ndarray:
    """Convert a tensor's values to float32; integers with its scale, if it has one."""
    scale, zero_point = tensor["quantization"]
    values = values.astype(np.float32, copy=False)
    return (values - zero_point) * scale if scale else values


def load_onnx(path: Path, num_threads: int, trust: bool) -> tuple[Run, int]:
    """Load an `.onnx` file; ONNX Runtime's sessions are thread-safe."""
    try:
        with optional_dependencies():
            session = onnx_session(path)
    except MissingExtraError:
        raise
    except Exception as error:  # ONNX Runtime's errors have no common base
        raise InputError(f"{path}: expected an .onnx file ({one_line(error)})") from error
    # tf2onnx's command line writes the names of tensors, such as pose:0
    theirs = {output.name.removesuffix(":0"): output for output in session.get_outputs()}
    inputs = {image.name: image.shape for image in session.get_inputs()}
    size, names = _interface(path, inputs, {name: output.shape for name, output in theirs.items()})
    image = session.get_inputs()[0]
    dtype = ONNX_TYPES.get(image.type)
    if dtype is None:
        raise InputError(f"{path}: expected images of {', '.join(ONNX_TYPES)}, received {image.type}")
    wanted = [theirs[name].name for name in names.values()]

    def run_chunk(crops: np.ndarray) -> Outputs:
        return dict(zip(names, session.run(wanted, {image.name: _as_type(crops, dtype)}), strict=True))

    sizes = (1,) if image.shape[0] == 1 else CHUNKS
    return _explained(path, _in_threads(run_chunk, sizes, num_threads)), size


def load_keras(path: Path, num_threads: int, trust: bool) -> tuple[Run, int]:
    """Load a `.keras` file or one of the original's `.h5` files."""
    with optional_dependencies():
        import keras

        from fsanet_tf.networks.keras_files import load_model

    if keras.backend.backend() == "tensorflow":
        _require_unforked(path)
    model = load_model(path)
    return run_keras(path, model), model.input_shape[1]


def run_keras(name: str | Path, model: Any) -> Run:
    """Return what runs a Keras model with named outputs; the name is for messages."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        spec = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
        graph = tf.function(lambda crops: model(crops, training=False), input_signature=[spec])
        return _in_tensorflow_chunks(name, lambda crops: graph(tf.constant(crops)))
    lock = threading.Lock()

    def run(crops: np.ndarray) -> Outputs:
        with lock:
            return _as_arrays(model.predict(crops, batch_size=TENSORFLOW_CHUNK, verbose=0))

    return run


def load_saved_model(path: Path, num_threads: int, trust: bool) -> tuple[Run, int]:
    """Load a SavedModel folder that `export` wrote."""
    with optional_dependencies():
        import tensorflow as tf

    _require_unforked(path)
    if not trust:
        check_saved_model(path)
    try:
        with library_path(path) as name:
            serve = tf.saved_model.load(name).signatures["serving_default"]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: expected a SavedModel folder ({one_line(error)})") from error
    signature = (serve.structured_input_signature[1], serve.structured_outputs)
    inputs, outputs = ({name: tuple(spec.shape or ()) for name, spec in specs.items()} for specs in signature)
    size, names = _interface(path, inputs, outputs)  # unknown shapes are false
    ((key, image),) = signature[0].items()
    _require_pixels(path, image.dtype.as_numpy_dtype)

    def run_chunk(crops: np.ndarray) -> Mapping[str, Any]:
        answers = serve(**{key: tf.constant(_as_type(crops, image.dtype.as_numpy_dtype))})
        return {ours: answers[theirs] for ours, theirs in names.items()}

    return _in_tensorflow_chunks(path, run_chunk, inputs[key][0] or TENSORFLOW_CHUNK), size


def load_frozen_graph(path: Path, num_threads: int, trust: bool) -> tuple[Run, int]:
    """Load a frozen graph, the original's or one that `export` wrote."""
    with optional_dependencies():
        import tensorflow as tf

    _require_unforked(path)
    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(path.read_bytes())
        if not trust:
            check_frozen_graph(path, graph_def)
        wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name=""), [])
        others = {node.name: node.name for node in graph_def.node if node.name in OUTPUTS}
        names = {**others, POSE: FROZEN_OUTPUT}
        image, *outputs = (
            wrapped.graph.as_graph_element(f"{name}:0") for name in (FROZEN_INPUT, *names.values())
        )
        run = wrapped.prune(image, outputs)
    except InputError:
        raise
    except Exception as error:  # protobuf and TensorFlow each raise their own
        raise InputError(
            f"{path}: expected a frozen graph from {FROZEN_INPUT} to {FROZEN_OUTPUT} ({error})"
        ) from error

    def run_chunk(crops: np.ndarray) -> Mapping[str, Any]:
        return dict(zip(names, run(tf.constant(crops)), strict=True))

    size, _ = _interface(path, {FROZEN_INPUT: tuple(image.shape or ())}, names)
    return _in_tensorflow_chunks(path, run_chunk), size


@functools.cache
def _tensorflow_process() -> int:
    """Return the process that loaded the first network of TensorFlow, also in a fork of it."""
    return os.getpid()


def _require_unforked(path: str | Path) -> None:
    """Refuse a fork of that process: TensorFlow would wait for ever for threads that are not there."""
    if os.getpid() != _tensorflow_process():
        raise InputError(
            f"{path}: TensorFlow was in use before this process was forked, which it does not survive; "
            "expected processes started by spawn, or an .onnx or .tflite file"
        )


def _as_arrays(outputs: Mapping[str, Any]) -> Outputs:
    return {name: np.asarray(values) for name, values in outputs.items()}


def _in_tensorflow_chunks(
    path: str | Path, run_chunk: Callable[[np.ndarray], Mapping[str, Any]], size: int = TENSORFLOW_CHUNK
) -> Run:
    def run(crops: np.ndarray) -> Outputs:
        _require_unforked(path)
        starts = range(0, len(crops), size)
        return _join([_as_arrays(run_chunk(crops[start : start + size])) for start in starts])

    _require_unforked(path)
    return _explained(path, run)


# By the suffix of the file; a folder is a SavedModel.
RUNTIMES: dict[str, Loader] = {
    ".tflite": load_tflite,
    ".onnx": load_onnx,
    ".keras": load_keras,
    ".h5": load_keras,
    ".pb": load_frozen_graph,
}
FOLDER_RUNTIME: Loader = load_saved_model
