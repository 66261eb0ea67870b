"""Cost per face by faces per call, threads, and faces in a photo: `python -m benchmarks.scaling`."""

import functools
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.harness import Comparison, compare, interleave, run_benchmark, time_faces, use_threads
from benchmarks.inference import ORIGINAL, PEER, UNIT
from benchmarks.peers import frozen_graph, port
from fsanet_tf.detection.detection import Detection
from fsanet_tf.networks.network import Network, load_network
from fsanet_tf.parallel import default_threads
from fsanet_tf.prediction.predictor import PosePredictor

BATCHES = (1, 4, 16, 64, 256)
THREADS = (1, 2, 4)
FACES = (1, 2, 4, 8, 16, 32)
FRAME_SHAPE, FACE_SIDE = (1080, 1920, 3), 120


def of_batches(networks: dict[str, Network], rounds: int) -> list[Comparison]:
    """Each network by the number of faces per call."""
    times = {count: time_faces(networks, count, max(3, rounds // count)) for count in BATCHES}
    return [
        compare(
            "Faces per call, 1x1",
            name,
            UNIT,
            "1 face",
            {_some(count): times[count][name] for count in BATCHES},
        )
        for name in networks
    ]


def of_threads(reference: Path, rounds: int) -> list[Comparison]:
    """The runtimes whose threads are of a network, not of the process."""
    columns = []
    for name, load in (
        ("shipped TFLite", lambda threads: load_network("1x1", threads)),
        (PEER, lambda threads: port(_peer_path(reference), threads)),
    ):
        networks = {_some(threads, "thread"): load(threads) for threads in THREADS}
        for count in (1, 64):
            times = time_faces(networks, count, max(3, rounds // count))
            column = f"{name}, {_some(count)} per call"
            columns.append(compare("Threads, 1x1", column, UNIT, "1 thread", times))
    return columns


def of_photos(rounds: int) -> list[Comparison]:
    """The demo's path from a photo and its boxes to poses, by the number of faces."""
    frame = np.random.default_rng(0).integers(0, 256, FRAME_SHAPE, np.uint8)
    lefts = np.linspace(0, FRAME_SHAPE[1] - FACE_SIDE, max(FACES)).tolist()
    faces = [Detection((left, 400.0, left + FACE_SIDE, 400.0 + FACE_SIDE), 1.0) for left in lefts]
    columns = []
    for name in ("1x1", "wide", "fusion"):
        predict = PosePredictor(name).predict
        calls = {_some(n): functools.partial(predict, frame, faces[:n]) for n in FACES}
        times = interleave(calls, max(3, rounds // 8))
        rows = {_some(n): [time / n for time in times[_some(n)]] for n in FACES}
        columns.append(compare("Faces in a photo: crop and pose", name, UNIT, "1 face", rows))
    return columns


def _some(count: int, what: str = "face") -> str:
    return f"{count} {what}" + ("s" if count > 1 else "")


def _peer_path(reference: Path) -> Path:
    return next((reference / "peers").glob("fsanet-1x1-*.onnx"))


def measure() -> list[Comparison]:
    reference, rounds = Path(flags.FLAGS.reference), flags.FLAGS.rounds
    use_threads(default_threads())
    networks = {
        ORIGINAL: load_network(frozen_graph(reference, "1x1")),
        "shipped TFLite": load_network("1x1"),
        PEER: port(_peer_path(reference), default_threads()),
    }
    return [*of_batches(networks, rounds), *of_threads(reference, rounds), *of_photos(rounds)]


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder with the original's weights and the port's nets.")
    flags.DEFINE_integer("rounds", 200, "Calls with one face; fewer with more.", 1)
    run_benchmark(measure)
