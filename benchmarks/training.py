"""Training throughput and the input pipeline's: `python -m benchmarks.training`.

The baseline of a training step is the same network with Keras's own batch normalization; that of the
augmentation is the original's way, image by image in NumPy and OpenCV.
"""

import functools
import itertools
import time
from collections.abc import Callable

import cv2
import numpy as np
from absl import flags

from benchmarks.harness import Comparison, compare, in_turns, run_benchmark
from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.dataset import FaceDataset
from fsanet_tf.networks.card import POSE

NUM_FACES = 1024
UNIT = "images/s"
PLAIN_STEP, PLAIN_AUGMENTATION = "step, plain Keras layers", "image by image"


def augment_one(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Augment one image as the original's generator does."""
    branch, cut = rng.integers(4), rng.integers(1, 16)
    x, y, px, py = rng.integers(0, cut, 4)
    side = 64 - cut
    crop = image[y : y + side, x : x + side]
    if branch == 0:
        image = cv2.resize(crop, (64, 64), interpolation=cv2.INTER_CUBIC)
    elif branch < 3:
        image = np.full_like(image, 255 * (branch - 1))
        image[py : py + side, px : px + side] = crop
    if rng.random() < 0.7:
        zx, zy = rng.uniform(0.8, 1.2, 2)
        matrix = np.array([[zx, 0, 31.5 * (1 - zx)], [0, zy, 31.5 * (1 - zy)]])
        # Keras's random_zoom: channel by channel, by SciPy
        from scipy.ndimage import affine_transform

        offset = matrix[::-1, 2]
        channels = [
            affine_transform(
                image[..., c].astype(np.float32), np.diag([zy, zx]), offset, order=1, mode="nearest"
            )
            for c in range(3)
        ]
        image = np.stack(channels, axis=-1)
    return image


def rates(steps: dict[str, Callable[[], int]], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Measure images per second of steps, which return how many they did, in turns of some seconds."""

    def rate(step: Callable[[], int]) -> list[float]:
        start, images = time.perf_counter(), 0
        while (passed := time.perf_counter() - start) < seconds:
            images += step()
        return [images / passed]

    return in_turns({name: functools.partial(rate, step) for name, step in steps.items()}, rounds)


def of_input(faces, rounds: int, seconds: float) -> Comparison:
    """Measure the augmentation of batches of 128 in memory, and the whole `tf.data` pipeline."""
    import tensorflow as tf

    from fsanet_tf.data.augmentation import augment
    from fsanet_tf.data.input_pipeline import training_batches

    rng, seeds = np.random.default_rng(0), itertools.count()
    images, poses = faces.dataset.images[:128], tf.constant(faces.dataset.poses[:128])
    constant = tf.constant(images)
    augmented = tf.function(lambda seed: augment(constant, poses, AugmentationConfig(), seed, 64)[0])
    batches = iter(
        training_batches(faces, batch_size=128, augmentation=AugmentationConfig(), image_size=64, seed=0)
    )
    steps = {
        PLAIN_AUGMENTATION: lambda: len([augment_one(image, rng) for image in images]),
        "augmentation of a batch": lambda: len(augmented(tf.constant([0, next(seeds)]))),
        "input pipeline": lambda: len(next(batches)[0]),
    }
    return compare(
        "Augmentation and input", "batch 128", UNIT, PLAIN_AUGMENTATION, rates(steps, rounds, seconds)
    )


def of_steps(faces, batch_size: int, rounds: int, seconds: float) -> Comparison:
    """Measure training steps of one network, ours and plain, and `train_on_batch` fed by the pipeline."""
    import keras
    import tensorflow as tf

    from fsanet_tf.data.input_pipeline import training_batches
    from fsanet_tf.layers import FusedBatchNormalization
    from fsanet_tf.models.build import build_model

    def plain(layer):
        if isinstance(layer, FusedBatchNormalization):
            return keras.layers.BatchNormalization.from_config(layer.get_config())
        return layer.__class__.from_config(layer.get_config())

    ours = build_model("fsanet_1x1_capsule")
    models = {"ours": ours, "plain": keras.models.clone_model(ours, clone_function=plain)}
    for model in models.values():
        model.compile(keras.optimizers.Adam(1e-3), {POSE: "mae"}, jit_compile=False)
    x = tf.constant(faces.dataset.images[:batch_size], tf.float32)
    y = {POSE: tf.constant(faces.dataset.poses[:batch_size])}
    batches = iter(
        training_batches(
            faces, batch_size=batch_size, augmentation=AugmentationConfig(), image_size=64, seed=0
        )
    )

    def step(model, x, y, weights=None) -> int:
        model.train_on_batch(x, y, weights)
        return len(x)

    steps = {
        PLAIN_STEP: lambda: step(models["plain"], x, y),
        "step": lambda: step(ours, x, y),
        "step, augmented input": lambda: step(ours, *next(batches)),
    }
    return compare("Training, 1x1", f"batch {batch_size}", UNIT, PLAIN_STEP, rates(steps, rounds, seconds))


def measure() -> list[Comparison]:
    from fsanet_tf.data.input_pipeline import Faces

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (NUM_FACES, 64, 64, 3), dtype=np.uint8)
    poses = rng.uniform(-60, 60, (NUM_FACES, 3)).astype(np.float32)
    faces = Faces(FaceDataset.from_arrays(images, poses), np.arange(NUM_FACES))
    rounds, seconds = flags.FLAGS.rounds, flags.FLAGS.seconds
    return [
        *(of_steps(faces, batch_size, rounds, seconds) for batch_size in (16, 128)),
        of_input(faces, rounds, seconds),
    ]


if __name__ == "__main__":
    flags.DEFINE_integer("rounds", 5, "Turns of each.", 1)
    flags.DEFINE_float("seconds", 3.0, "A turn.", 0.01)
    run_benchmark(measure)
