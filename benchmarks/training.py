"""Training throughput: steps, `fit` with augmentation, and augmentation alone, beside a plain one.

The baseline of the augmentation is the original's way, image by image in NumPy and OpenCV.
`python -m benchmarks.training`
"""

import functools
import itertools
import time
from collections.abc import Callable

import cv2
import numpy as np
from absl import flags

from fsanet_tf.command_line import import_tensorflow_quietly, run
from fsanet_tf.dataset import FaceDataset
from fsanet_tf.training_config import AugmentationConfig

NUM_FACES = 1024


def augment_one(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The original's augmentation of one image, as its generator does it."""
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


def rate(step: Callable[[], int], seconds: float) -> float:
    """Images a second of a step that says how many it did; the first call warms up."""
    step()
    start, images = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        images += step()
    return images / (time.perf_counter() - start)


def augmentation_step(images, poses) -> Callable[[], int]:
    import tensorflow as tf

    from fsanet_tf.augmentation import augment

    seeds = itertools.count()
    changed = tf.function(lambda seed: augment(images, poses, AugmentationConfig(), seed, 64)[0])

    def step() -> int:
        return len(changed(tf.constant([0, next(seeds)])))

    return step


def take_batch(iterator) -> int:
    images, _ = next(iterator)
    return len(images)


def train_step(model, x, y) -> int:
    model.train_on_batch(x, y)
    return len(x)


def fit_rate(model, data, batch_size: int, seconds: float) -> float:
    """Images a second of the steps of one `fit`, the first ten left out."""
    import keras

    class Clock(keras.callbacks.Callback):
        times: list[float]

        def on_train_begin(self, logs=None):
            self.times = []

        def on_train_batch_end(self, batch, logs=None):
            self.times.append(time.perf_counter())
            if len(self.times) > 12 and self.times[-1] - self.times[10] > seconds:
                self.model.stop_training = True

    clock = Clock()
    model.fit(data, steps_per_epoch=12, epochs=10_000, verbose=0, shuffle=False, callbacks=[clock])
    times = clock.times[10:]
    return batch_size * (len(times) - 1) / (times[-1] - times[0])


def main() -> None:
    import_tensorflow_quietly()
    import keras
    import tensorflow as tf

    from fsanet_tf.input_pipeline import FacesInMemory, training_batches
    from fsanet_tf.models import build_model

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (NUM_FACES, 64, 64, 3), dtype=np.uint8)
    poses = rng.uniform(-60, 60, (NUM_FACES, 3)).astype(np.float32)
    faces = FacesInMemory(FaceDataset(images, poses, np.full(NUM_FACES, "")), np.arange(NUM_FACES))
    seconds = flags.FLAGS.seconds

    def batches(batch_size: int):
        return training_batches(
            faces, batch_size=batch_size, augmentation=AugmentationConfig(), image_size=64, seed=0
        )

    def plain_augmentation() -> int:
        return len([augment_one(image, rng) for image in images[:128]])

    results = {"augmentation, image by image": rate(plain_augmentation, seconds)}
    augmented = augmentation_step(tf.constant(images[:128]), tf.constant(poses[:128]))
    results["augmentation, ours"] = rate(augmented, seconds)
    results["input pipeline, ours"] = rate(functools.partial(take_batch, iter(batches(128))), seconds)
    for batch_size in (16, 128):
        model = build_model("fsanet_1x1_capsule")
        model.compile(keras.optimizers.Adam(1e-3), "mae", jit_compile=False)
        x, y = tf.constant(images[:batch_size], tf.float32), tf.constant(poses[:batch_size])

        step = functools.partial(train_step, model, x, y)
        results[f"training step, batch {batch_size}"] = rate(step, seconds)
        name = f"fit with augmentation, batch {batch_size}"
        results[name] = fit_rate(model, batches(batch_size), batch_size, seconds)
    for name, value in results.items():
        print(f"{name}: {value:.0f} images/s")
    gain = results["augmentation, ours"] / results["augmentation, image by image"]
    print(f"augmentation is {gain:.1f} times the image-by-image one")


if __name__ == "__main__":
    flags.DEFINE_float("seconds", 10.0, "How long each is measured.", 0.1)
    run(main)
