"""Peak memory of training on a made-up 300W-LP of 122,450 crops, from `.npz` and from TFRecord shards.

`python -m benchmarks.memory` writes 1.5 GB twice below --work_dir.
"""

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.comparison import Comparison, compare, run_benchmark
from benchmarks.peak import peak_mib
from fsanet_tf.data.dataset import FaceDataset, save_dataset
from fsanet_tf.quiet import import_tensorflow_quietly
from fsanet_tf.training.config import TrainingConfig

NUM_CROPS = 122_450
NPZ = "one .npz of 1.5 GB"


def train_a_little(data: str) -> float:
    """Load as training does, train a few steps, and give the peak of this process in GiB."""
    import_tensorflow_quietly()
    import keras

    from fsanet_tf.data.input_pipeline import training_batches
    from fsanet_tf.models import build_model
    from fsanet_tf.training.trainer import load_faces

    config = TrainingConfig(data=(data,))
    faces, _, _ = load_faces(config)
    model = build_model("fsanet_1x1_capsule")
    model.compile(keras.optimizers.Adam(1e-3), "mae", jit_compile=False)
    batches = training_batches(faces, batch_size=16, augmentation=config.augmentation, image_size=64, seed=0)
    model.fit(batches, steps_per_epoch=600, verbose=0, shuffle=False)
    return peak_mib() / 2**10


def make_faces(path: Path) -> None:
    """Noise with random poses, as many as 300W-LP has."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (NUM_CROPS, 64, 64, 3), dtype=np.uint8)
    poses = rng.uniform(-95, 95, (NUM_CROPS, 3)).astype(np.float32)
    save_dataset(path, FaceDataset(images, poses, np.full(NUM_CROPS, "")))


def in_new_process(function: Callable[[str], float], path: Path) -> float:
    """Call a function where nothing was loaded before."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, str(path)).result()


def measure() -> list[Comparison]:
    folder = Path(flags.FLAGS.work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    npz, index = folder / "crops.npz", folder / "crops.tfrecords.json"
    if not npz.exists():
        make_faces(npz)
    shards = ["preprocessing/create_tfrecords.py", f"--data={npz}", f"--output={index}"]
    subprocess.run([sys.executable, *shards], check=True, stdout=subprocess.DEVNULL)
    peaks = {
        NPZ: [in_new_process(train_a_little, npz)],
        "TFRecord shards": [in_new_process(train_a_little, index)],
    }
    return [compare("Memory of training, 122,450 faces", "peak", "GiB", NPZ, peaks)]


if __name__ == "__main__":
    flags.DEFINE_string("work_dir", "runs/memory", "Where the made-up data goes.")
    run_benchmark(measure)
