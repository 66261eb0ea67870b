"""Make the golden files again: `python -m tests.golden.make --reference=../shared`.

Of the released networks, those whose frozen graphs are available answer by their graphs, which the original's
TensorFlow 1 wrote; the others by this project's loader, which the graphs and the original's recorded outputs
prove right. The graphs also answer with seeded weights, so that a clone without any weights can compare its
networks with the original's. `--shipped_only` makes the outputs of the shipped networks alone.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np

from fsanet_tf.models.config import list_variants

FOLDER = Path(__file__).parent
FACES, POSES, LAYERS = FOLDER / "faces.npz", FOLDER / "poses.json", FOLDER / "layers.npz"
NUM_HEADS = 7
# Random weights make the residual sums of the strided backbone large; its shipped network has a golden.
SINGLE = [name for name in list_variants() if "fusion" not in name and "strided" not in name]
GRAPHS = {
    "fsanet_1x1_capsule": "fsanet_capsule_3_16_2_21_5",
    "fsanet_var_capsule": "fsanet_var_capsule_3_16_2_21_5",
    "fsanet_noS_capsule": "fsanet_noS_capsule_3_16_2_192_5",
}


def make_faces() -> np.ndarray:
    """The photo's face and rendered heads, uint8 BGR `(8, 64, 64, 3)`."""
    from fsanet_tf.data.dataset import load_dataset
    from fsanet_tf.data.preprocessing.crops import preprocess
    from fsanet_tf.data.preprocessing.landmark_pairs import LandmarkPairsConfig
    from fsanet_tf.data.preprocessing.synthetic import SyntheticConfig, synthesize
    from fsanet_tf.io.images import read_image

    with tempfile.TemporaryDirectory() as name:
        synthesize(SyntheticConfig(Path(name) / "heads", NUM_HEADS))
        preprocess(LandmarkPairsConfig(Path(name) / "heads", Path(name) / "heads.npz"))
        heads = load_dataset(Path(name) / "heads.npz").images
    photo = cv2.resize(read_image("astronaut")[20:240, 120:340], (64, 64))
    return np.concatenate([photo[None], heads])


def run_graph(path: Path, faces: np.ndarray, weights: dict[str, np.ndarray] | None = None) -> np.ndarray:
    """Run an original frozen graph, perhaps with other weights, by `layer/weight`."""
    import tensorflow as tf

    from fsanet_tf.networks.runtimes import FROZEN_INPUT, FROZEN_OUTPUT

    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString(path.read_bytes())
    remaining = dict(weights or {})
    for node in graph_def.node:
        if node.name in remaining:
            value = remaining.pop(node.name)
            shape = tuple(size.size for size in node.attr["value"].tensor.tensor_shape.dim)
            assert shape == value.shape, (node.name, shape, value.shape)
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    assert not remaining, sorted(remaining)
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name=""), [])
    run = wrapped.prune(*(wrapped.graph.as_graph_element(f"{n}:0") for n in (FROZEN_INPUT, FROZEN_OUTPUT)))
    return run(tf.constant(faces)).numpy()


def predict_seeded(variant: str, faces: np.ndarray) -> np.ndarray:
    """Predict with a network of seeded weights."""
    from fsanet_tf.models.build import build_model
    from tests.golden.seeded import set_weights

    model = build_model(variant)
    set_weights(model)
    return answer(model, faces)


def answer(model: keras.Model, faces: np.ndarray) -> np.ndarray:
    """Call a network once; `predict` would first compile it."""
    return keras.ops.convert_to_numpy(model(faces, training=False)["pose"])


def rounded(poses: np.ndarray) -> list[list[float]]:
    """Poses as JSON, without the digits that differ between machines."""
    return np.round(poses.astype(float), 5).tolist()


def released_poses(reference: Path, faces: np.ndarray) -> dict[str, Any]:
    """Poses by every released network, and what made them."""
    from fsanet_tf.errors import InputError
    from fsanet_tf.networks.network import load_network

    made = {}
    for path in sorted((reference / "weights/300W_LP_models").glob("*.h5")):
        graph = reference / f"weights/frozen_graphs/{path.stem}.pb"
        try:
            poses = run_graph(graph, faces) if graph.exists() else load_network(path).predict(faces)["pose"]
        except InputError:
            continue  # one was released without finite weights
        made[path.stem] = {"by": "original graph" if graph.exists() else "fsanet_tf", "poses": rounded(poses)}
    return made


def original_poses_of_seeded(reference: Path, faces: np.ndarray) -> dict[str, Any]:
    """Poses by the original graphs with the seeded weights of our networks."""
    from fsanet_tf.models.build import build_model
    from tests.golden.seeded import set_weights
    from tests.legacy_files import legacy_arrays

    made = {}
    for variant, name in GRAPHS.items():
        model = build_model(variant)
        set_weights(model)
        weights = {key: value for group in legacy_arrays(model).values() for key, value in group.items()}
        made[variant] = rounded(run_graph(reference / f"weights/frozen_graphs/{name}.pb", faces, weights))
    return made


def shipped_poses(faces: np.ndarray) -> dict[str, Any]:
    """Poses by every shipped network: of its `.keras` file if it has one."""
    from fsanet_tf.networks.keras_files import load_model
    from fsanet_tf.networks.network import load_network
    from fsanet_tf.networks.pretrained import DEFAULT_INT8, list_networks

    made = {
        name: rounded(answer(load_model(name), faces)) for name in list_networks() if name != DEFAULT_INT8
    }
    return {**made, DEFAULT_INT8: rounded(load_network(DEFAULT_INT8).predict(faces)["pose"])}


def main() -> None:
    from tests.golden.seeded import CASES, layer_output

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=Path, default=Path("../shared"))
    parser.add_argument("--shipped_only", action="store_true")
    given = parser.parse_args()
    if given.shipped_only:
        made = json.loads(POSES.read_text())
        faces = np.load(FACES)["images"].astype(np.float32)
    else:
        images = make_faces()
        np.savez_compressed(FACES, images=images)
        faces = images.astype(np.float32)
        np.savez_compressed(LAYERS, **{name: layer_output(name) for name in CASES})
        made = {
            "released": released_poses(given.reference, faces),
            "original_seeded": original_poses_of_seeded(given.reference, faces),
            "seeded": {name: rounded(predict_seeded(name, faces)) for name in SINGLE},
        }
    made["shipped"] = shipped_poses(faces)
    POSES.write_text(json.dumps(made, indent=1) + "\n")


if __name__ == "__main__":
    main()
