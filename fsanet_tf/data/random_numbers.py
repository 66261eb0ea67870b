"""Random numbers of a batch: the same seed, the same augmentation."""

from collections.abc import Callable

import tensorflow as tf


class BatchRandom:
    """Uniform random numbers for a batch; each draw has its own stateless seed.

    Args:
        batch: Number of images.
        seed: int `(2,)`.
    """

    def __init__(self, batch: tf.Tensor, seed: tf.Tensor):
        self.batch = batch
        self.seed = seed
        self.draws = 0

    def next_seed(self) -> tf.Tensor:
        """Return the seed of the next draw."""
        self.draws += 1
        return tf.random.fold_in(self.seed, self.draws)

    def uniform(self, low: float = 0.0, high: float = 1.0, shape: tuple[int, ...] = ()) -> tf.Tensor:
        """Draw `(batch, *shape)` numbers."""
        return tf.random.stateless_uniform((self.batch, *shape), self.next_seed(), low, high)

    def happens(self, probability: float) -> tf.Tensor:
        """Draw which images something happens to, bool `(batch,)`."""
        return self.uniform() < probability


def change_some(images: tf.Tensor, chosen: tf.Tensor, change: Callable, *arguments: tf.Tensor) -> tf.Tensor:
    """Apply `change` to the chosen images, each with its own row of the arguments; the rest cost nothing."""

    def changed() -> tf.Tensor:
        rows = tf.where(chosen)  # (number chosen, 1)
        results = change(*(tf.gather_nd(tensor, rows) for tensor in (images, *arguments)))
        return tf.tensor_scatter_nd_update(images, rows, results)

    return tf.cond(tf.reduce_any(chosen), changed, lambda: images)
