"""Peak memory of the input pipeline on a made-up 300W-LP: 122,450 crops, from `.npz` and from TFRecord.

`python -m benchmarks.memory` writes 1.5 GB twice below --work_dir.
"""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from absl import flags

from fsanet_tf.command_line import import_tensorflow_quietly, run
from fsanet_tf.dataset import FaceDataset, save_dataset
from fsanet_tf.training_config import TrainingConfig

NUM_CROPS = 122_450


def train_a_little(data: str) -> None:
    """Load as training does, train a few steps from the middle of an epoch, and print the peak."""
    import_tensorflow_quietly()
    import keras

    from fsanet_tf.input_pipeline import training_batches
    from fsanet_tf.models import build_model
    from fsanet_tf.training import load_faces

    config = TrainingConfig(data=(data,))
    faces, _, _ = load_faces(config)
    model = build_model("fsanet_1x1_capsule")
    model.compile(keras.optimizers.Adam(1e-3), "mae", jit_compile=False)
    batches = training_batches(faces, batch_size=16, augmentation=config.augmentation, image_size=64, seed=0)
    model.fit(batches, steps_per_epoch=600, verbose=0, shuffle=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{Path(data).name}: {faces.count} faces to train on, peak {peak:.2f} GiB")


def main() -> None:
    if flags.FLAGS.data:
        train_a_little(flags.FLAGS.data)
        return
    folder = Path(flags.FLAGS.work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    npz, index = folder / "crops.npz", folder / "crops.tfrecords.json"
    if not npz.exists():
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (NUM_CROPS, 64, 64, 3), dtype=np.uint8)
        poses = rng.uniform(-95, 95, (NUM_CROPS, 3)).astype(np.float32)
        save_dataset(npz, FaceDataset(images, poses, np.full(NUM_CROPS, "")))
        del images
    shards = ["preprocessing/create_tfrecords.py", f"--data={npz}", f"--output={index}"]
    subprocess.run([sys.executable, *shards], check=True)
    for data in (npz, index):
        subprocess.run([sys.executable, "-m", "benchmarks.memory", f"--data={data}"], check=True)


if __name__ == "__main__":
    flags.DEFINE_string("work_dir", "runs/memory", "Where the made-up data goes.")
    flags.DEFINE_string("data", None, "Measure this data set in this process.")
    run(main)
