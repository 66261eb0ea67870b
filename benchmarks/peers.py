"""Networks of others behind the interface of ours: the original's, a PyTorch port's and opentrack's."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.geometry.pose import poses_from_rotations
from fsanet_tf.networks.card import POSE, NetworkCard
from fsanet_tf.networks.network import FileNetwork, Network, load_network

VARIANTS = {
    "1x1": "fsanet_capsule_3_16_2_21_5",
    "var": "fsanet_var_capsule_3_16_2_21_5",
    "noS": "fsanet_noS_capsule_3_16_2_192_5",
}
PORT_CROP = CropRule(0.4)
ORIGINAL = "original's frozen graph"
OPENTRACK = "peers/opentrack_head_pose_0.4_small_int8.onnx"
OPENTRACK_CROP = CropRule(0.225, square=True)
OPENTRACK_SIZE = 129
BRIGHT = 127  # faces whose 90th percentile lies below are brightened


def released_weights(reference: Path, stem: str) -> Path:
    """Return an `.h5` file that the original released."""
    return reference / f"weights/300W_LP_models/{stem}.h5"


def frozen_graph(reference: Path, variant: str) -> Path:
    """Return the original's network as its TensorFlow 1 wrote it."""
    return reference / f"weights/frozen_graphs/{VARIANTS[variant]}.pb"


def onnx_session(path: Path, num_threads: int) -> Any:
    """Open an ONNX file; 0 threads: one per core."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def released(reference: Path, stems: Iterable[str] = tuple(VARIANTS.values())) -> Network:
    """Load the mean of released networks, by default of the fusion's."""
    return load_network([released_weights(reference, stem) for stem in stems])


def port_files(reference: Path) -> list[Path]:
    """Return the ONNX files of the PyTorch port."""
    return sorted((reference / "peers").glob("fsanet*.onnx"))


def ports(reference: Path, num_threads: int) -> dict[str, Network]:
    """Open the PyTorch port's nets, by variant: one face per call, channels first, normalized."""
    return {path.stem.split("-")[1]: _port(path, num_threads) for path in port_files(reference)}


def _port(path: Path, num_threads: int) -> Network:
    session = onnx_session(path, num_threads)

    def predict(crops: np.ndarray) -> np.ndarray:
        inputs = np.ascontiguousarray((crops.transpose(0, 3, 1, 2) - 127.5) / 128)
        return np.concatenate([session.run(None, {"input": face})[0] for face in inputs[:, None]])

    return _network(path.stem, 64, PORT_CROP, predict)


def opentrack(reference: Path, num_threads: int) -> Network:
    """Open opentrack's network: one gray face per call, a quaternion that becomes angles."""
    session = onnx_session(reference / OPENTRACK, num_threads)

    def predict(crops: np.ndarray) -> np.ndarray:
        answers = [session.run(["quat"], {"x": _opentrack_input(crop)})[0][0] for crop in crops]
        return _opentrack_angles(np.array(answers)).astype(np.float32)

    return _network("opentrack", OPENTRACK_SIZE, OPENTRACK_CROP, predict)


def _network(name: str, size: int, rule: CropRule, predict: Callable[[np.ndarray], np.ndarray]) -> Network:
    return FileNetwork(name, NetworkCard(size, rule), size, lambda crops: {POSE: predict(crops)}, ())


def _opentrack_input(crop: np.ndarray) -> np.ndarray:
    gray = cv2.cvtColor(crop.astype(np.uint8), cv2.COLOR_BGR2GRAY)
    level = np.percentile(gray, 90)
    scale = 0.45 / max(5.0, level) if level < BRIGHT else 1 / 255
    return (gray * scale - 0.5).astype(np.float32)[None, None]


def _opentrack_angles(quaternions: np.ndarray) -> np.ndarray:
    """Convert x, y, z, w `(N, 4)` to yaw, pitch, roll `(N, 3)` in degrees."""
    flip = np.diag([1, 1, -1])  # to 300W-LP's axes and signs
    return poses_from_rotations(flip @ Rotation.from_quat(quaternions).as_matrix() @ flip)
