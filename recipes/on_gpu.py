"""Train a network with all its heads on one GPU in minutes: Keras on JAX, the augmentation on the device.

`python recipes/on_gpu.py --variant=fsanet_1x1_capsule_strided --data=aflw.npz,web.npz,mask.npz
--output=strided.keras` needs the package, `jax[cuda13]` and `optax`, and no TensorFlow. The data are
those of recipes/teacher_tables.py, without the near-duplicates of photos of AFLW2000. Losses and targets are
those of `fsanet train --localize --uncertainty`, as is what the augmentation does, but for JPEG compression.
The learning rate follows half a cosine over the time given; the result averages the weights.
Five runs side by side on one H200 took 8 minutes (the shipped networks and one more; see the model card).
"""

import argparse
import functools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
from jax import Array

import fsanet_tf
from fsanet_tf.data.augmentation_config import BOX_SIDE, FACE_CENTER, RADII
from fsanet_tf.data.dataset import hashed_files, load_dataset
from fsanet_tf.data.preprocessing.face_table import SHIPPED_CROP
from fsanet_tf.data.split import split_dataset
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG, MIRROR_SIGNS, poses_from_rotations, rotation_matrices
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.card import BOX_OFFSET, FACE_SCORE, POSE, UNCERTAINTY, NetworkCard
from fsanet_tf.networks.keras_files import save_model
from fsanet_tf.training.recipe import LOSS_WEIGHTS, geodesic_angles

FACE_SHARE = 1 / SHIPPED_CROP.growth  # side of the face box as a share of the crop's
FAR_WEIGHT = 0.5  # of the pose of a face that was moved as far as a tracker may see it
FACELESS_ERROR_DEG, FACELESS_WEIGHT = 25.0, 0.3  # what the error head learns where there is no face
PIECE, BACKGROUND, MOSAIC, PATTERN = range(4)  # kinds of crops without a face


class Random:
    """Numbers of one face: each draw has a key of its own."""

    def __init__(self, key: Array):
        self.keys: Iterator[Array] = iter(jax.random.split(key, 64))

    def uniform(self, low=0.0, high=1.0, shape=()) -> Array:
        return jax.random.uniform(next(self.keys), shape, minval=low, maxval=high)

    def normal(self, shape) -> Array:
        return jax.random.normal(next(self.keys), shape)

    def happens(self, probability) -> Array:
        return self.uniform() < probability


class Moved(NamedTuple):
    """A crop after its move, as in `fsanet_tf.data.augmentation_geometry`, and what is outside its source."""

    image: Array
    outside: Array
    pose: Array
    offset: Array
    kind: Array
    is_far: Array


def bilinear(image: Array, x: Array, y: Array) -> Array:
    """The pixels of an image at positions; beyond its edges those of the edges."""
    last = image.shape[0] - 1
    x0, y0 = jnp.floor(x), jnp.floor(y)
    dx, dy = (x - x0)[..., None], (y - y0)[..., None]

    def pixels(row, column):
        inside = (jnp.clip(i, 0, last).astype(jnp.int32) for i in (row, column))
        return image[tuple(inside)].astype(jnp.float32)

    top = pixels(y0, x0) * (1 - dx) + pixels(y0, x0 + 1) * dx
    return top * (1 - dy) + (pixels(y0 + 1, x0) * (1 - dx) + pixels(y0 + 1, x0 + 1) * dx) * dy


def move(key: Array, image: Array, pose: Array, view: Array, size: int) -> Moved:
    """Mirror, turn, shift and zoom a crop in one resampling."""
    random = Random(key)
    mirrored = random.happens(0.5)
    pose = jnp.where(mirrored, pose * jnp.array(MIRROR_SIGNS), pose)
    turn_deg = random.uniform(-20, 20)
    turned = rotation_matrices(turn_deg * jnp.array([0.0, 0.0, 1.0]), jnp) @ rotation_matrices(pose, jnp)
    turned = poses_from_rotations(turned, jnp.abs(pose[0]) > 90, jnp)
    kept = (jnp.abs(turned) <= MAX_ANGLE_DEG).all()
    pose, turn = jnp.where(kept, turned, pose), jnp.where(kept, jnp.deg2rad(turn_deg), 0.0)

    is_far = random.happens(0.4)
    border = jnp.where(random.happens(0.15), random.uniform(0, 0.33), 0.0)
    scale = (1 + 2 * border) * random.uniform(0.92, 1.08)
    scale *= jnp.exp(jnp.where(is_far, random.uniform(-0.45, 0.45), 0.0))
    shift = random.uniform(-0.07, 0.07, (2,)) + jnp.where(is_far, random.uniform(-0.3, 0.3, (2,)), 0.0)
    aspect = random.uniform(-0.08, 0.08)
    kind = jnp.where(random.happens(0.08), random.uniform(0, 4).astype(jnp.int32), -1)
    scale = jnp.where(kind == PIECE, random.uniform(0.18, 0.4), scale)
    shift = jnp.where(kind == PIECE, random.uniform(-0.45, 0.45, (2,)) / scale, shift)
    direction = random.uniform(0, 2 * np.pi)
    away = jnp.stack([jnp.cos(direction), jnp.sin(direction)]) * random.uniform(0.8, 1.3)
    shift = jnp.where(kind == BACKGROUND, away, shift)

    source = image.shape[0]
    step = scale * source * view / size  # source pixels per pixel of the result
    step_x, step_y = step * (1 + aspect / 2), step * (1 - aspect / 2)
    flip = jnp.where(mirrored, -1.0, 1.0)
    cos, sin = jnp.cos(turn), jnp.sin(turn)
    matrix = jnp.array([[flip * step_x * cos, flip * step_x * sin], [-step_y * sin, step_y * cos]])
    shift_px = shift * step * size
    u = jnp.arange(size) - (size - 1) / 2
    x = matrix[0, 0] * u[None, :] + matrix[0, 1] * u[:, None] + shift_px[0]
    y = matrix[1, 0] * u[None, :] + matrix[1, 1] * u[:, None] + shift_px[1]
    center = (source - 1) / 2
    offset = -jnp.linalg.inv(matrix) @ shift_px / size
    return Moved(
        image=bilinear(image, x + center, y + center),
        outside=jnp.maximum(jnp.abs(x), jnp.abs(y)) > source / 2,
        pose=pose,
        offset=jnp.append(offset, -jnp.log(scale)),
        kind=kind,
        is_far=is_far,
    )


def fill(random: Random, moved: Moved, other: Array) -> Array:
    """Fill what lies outside with another crop or black, or leave it; remove the face where none shall be."""
    image, size = moved.image, moved.image.shape[0]
    from_other = random.happens(0.5) & (moved.kind != BACKGROUND)
    black = random.happens(0.5)
    filled = jnp.where(from_other, other, jnp.where(black, 0.0, image))
    image = jnp.where(moved.outside[..., None], filled, image)
    blocks = (
        image.reshape(4, size // 4, 4, size // 4, 3).transpose(0, 2, 1, 3, 4).reshape(16, size // 4, -1, 3)
    )
    blocks = blocks[jnp.argsort(random.uniform(shape=(16,)))].reshape(4, 4, size // 4, size // 4, 3)
    mosaic = blocks.transpose(0, 2, 1, 3, 4).reshape(size, size, 3)
    pattern = jax.image.resize(random.uniform(0, 255, (5, 5, 3)), (size, size, 3), "cubic")
    image = jnp.where(moved.kind == MOSAIC, mosaic, image)
    return jnp.where(moved.kind == PATTERN, jnp.clip(pattern, 0, 255), image)


def cover_strips(random: Random, image: Array, center: Array, side: Array, other: Array) -> Array:
    """Cover a random part of what lies between the edges and the face box: padding shall tell nothing."""
    size = image.shape[0]
    pixel = jnp.arange(size)

    def covered(place):
        rooms = (place - side / 2, size - 1 - place - side / 2)
        low, high = (
            jnp.where(random.happens(0.08), random.uniform(), 0.0) * jnp.maximum(room, 0) for room in rooms
        )
        return (pixel < low) | (pixel > size - 1 - high)

    mask = covered(center[0])[None, :] | covered(center[1])[:, None]
    color = jnp.where(random.happens(0.5), 0.0, random.uniform(0, 255, (3,)))
    paint = jnp.where(random.happens(0.4), other, color)
    return jnp.where(mask[..., None], paint, image)


def cover_face(random: Random, image: Array, pose: Array, center: Array, side: Array) -> Array:
    """Draw a cloth mask or sunglasses on some faces: a head at the pose and box says where."""
    size = image.shape[0]
    rotation = rotation_matrices(pose, jnp)
    u = jnp.arange(size)
    unit, origin, radii = BOX_SIDE / side, rotation @ jnp.array(FACE_CENTER), jnp.array(RADII)
    x, y = (u - center[0]) * unit + origin[0], (u - center[1]) * unit + origin[1]
    start = jnp.stack(jnp.meshgrid(x, y), -1) @ rotation[:2]
    direction = rotation[2]
    a = ((direction / radii) ** 2).sum()
    half_b = (direction * start / radii**2).sum(-1)
    discriminant = half_b**2 - a * (((start / radii) ** 2).sum(-1) - 1)
    depth = (jnp.sqrt(jnp.maximum(discriminant, 0)) - half_b) / a
    x, y, z = jnp.moveaxis(start + depth[..., None] * direction, -1, 0)
    visible = discriminant > 0
    tint = random.uniform(0.7, 1.0, (3,))
    top = random.uniform(-0.05, 0.2)
    cloth = visible & (z > 0.05) & (y > top + 0.25 * x**2) & (y < 0.97) & (jnp.abs(x) < 0.76)
    shade = (0.55 + 0.45 * jnp.clip(z, 0, 1)) * (1 + 0.08 * jnp.sin(22 * y))
    paint = random.uniform(0, 255) * tint * shade[..., None]
    image = jnp.where((cloth & random.happens(0.08))[..., None], paint, image)
    lens = ((jnp.abs(x) - 0.30) / 0.24) ** 2 + ((y + 0.10) / 0.17) ** 2 < random.uniform(0.7, 1.4)
    frame = (jnp.abs(y + 0.16) < 0.025) & (jnp.abs(x) < 0.74)
    glasses = visible & (((z > 0.1) & lens) | ((z > -0.2) & frame)) & random.happens(0.04)
    return jnp.where(glasses[..., None], random.uniform(0, 60) * tint, image)


def blur(image: Array) -> Array:
    padded = jnp.pad(image, ((1, 1), (1, 1), (0, 0)), mode="reflect")
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return (rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4


def coarse(random: Random, image: Array) -> Array:
    """Reduce to between a fifth and three quarters of the side, and enlarge again."""
    size = image.shape[0]
    pixel, side = jnp.arange(size), random.uniform(0.2, 0.75) * size
    step = size / side
    down = jnp.maximum(1 - jnp.abs(((pixel + 0.5) * step - 0.5)[:, None] - pixel) / step, 0)
    down /= jnp.maximum(down.sum(-1, keepdims=True), 1e-6)
    source = jnp.clip((pixel + 0.5) / step - 0.5, 0, jnp.ceil(side) - 1)
    axis = jnp.maximum(1 - jnp.abs(source[:, None] - pixel), 0) @ down
    return jnp.einsum("yi,ijc,xj->yxc", axis, image, axis)


def smear(random: Random, image: Array) -> Array:
    """Blur by a motion of 2 to 9 pixels."""
    pixel = jnp.arange(image.shape[0])
    weights = jnp.clip(random.uniform(2, 9) / 2 + 0.5 - jnp.abs(pixel[:, None] - pixel), 0, 1)
    weights /= weights.sum(-1, keepdims=True)
    across, down = jnp.einsum("xj,yjc->yxc", weights, image), jnp.einsum("yi,ixc->yxc", weights, image)
    return jnp.where(random.happens(0.5), down, across)


def change_pixels(random: Random, image: Array, strength: Array) -> Array:
    """Colors, light, sharpness, noise, erased blocks."""

    def sometimes(probability, changed):
        return jnp.where(random.happens(probability * strength), jnp.clip(changed, 0, 255), image)

    gray = jnp.broadcast_to((image @ jnp.array([0.114, 0.587, 0.299]))[..., None], image.shape)
    image = sometimes(0.12, gray)
    gains = random.uniform(0.8, 1.2) * random.uniform(0.9, 1.1, (3,))
    image = jnp.clip(((image - image.mean()) * random.uniform(0.8, 1.2) + image.mean()) * gains, 0, 255)
    image = sometimes(0.09, 255 * (image / 255) ** jnp.exp(random.uniform(np.log(0.5), np.log(3.3))))
    image = sometimes(0.05, image * random.uniform(0.12, 0.6))
    image = sometimes(0.05, image * random.uniform(1.2, 2.0) + random.uniform(0, 45))
    image = jnp.where(
        random.happens(0.5), jnp.clip(image + random.uniform(0, 1.5) * (image - blur(image)), 0, 255), image
    )
    image = sometimes(0.12, coarse(random, image))
    image = sometimes(0.06, blur(image))
    image = sometimes(0.08, smear(random, image))
    image = sometimes(0.12, image + random.uniform(0, 28) * random.normal(image.shape))
    size = image.shape[0]
    pixel, sides = jnp.arange(size), random.uniform(0.1, 0.5, (2,)) * size
    starts = random.uniform(shape=(2,)) * (size - sides)
    rows, columns = (
        (pixel >= start) & (pixel < start + side) for start, side in zip(starts, sides, strict=True)
    )
    erased = jnp.where((rows[:, None] & columns)[..., None], random.uniform(0, 255, (3,)), image)
    return sometimes(0.12, erased)


def augmented(keys: Array, images: Array, poses: Array, views: Array, strength: Array, size: int):
    """Augment a batch; return images, and poses, offsets, scores and which faces were moved far."""
    first, second = jax.vmap(lambda key: jax.random.split(key))(keys).transpose(1, 0)
    moved = jax.vmap(functools.partial(move, size=size))(first, images, poses, views)

    def finish(key, moved: Moved, other, another):
        random = Random(key)
        image = fill(random, moved, other)
        center = (moved.offset[:2] + 0.5) * size - 0.5
        side = FACE_SHARE * size * jnp.exp(moved.offset[2])
        image = cover_strips(random, image, center, side, another)
        covered = cover_face(random, image, moved.pose, center, side)
        image = jnp.where(moved.kind < 0, covered, image)
        return jnp.round(change_pixels(random, image, strength))

    others = (jnp.roll(moved.image, shift, axis=0) for shift in (1, 2))
    result = jax.vmap(finish)(second, moved, *others)
    targets = {POSE: moved.pose, BOX_OFFSET: moved.offset, FACE_SCORE: (moved.kind < 0).astype(jnp.float32)}
    return result, targets, moved.is_far


def depthwise_as_products(layer: keras.layers.SeparableConv2D, x: Array) -> Array:
    """A separable 3×3 convolution as nine shifted products, which XLA fuses: its own gradients are slow."""
    stride = layer.strides[0]
    sides = [-(-side // stride) for side in x.shape[1:3]]
    total = [max((out - 1) * stride + 3 - side, 0) for out, side in zip(sides, x.shape[1:3], strict=True)]
    padded = jnp.pad(x, ((0, 0), *((pad // 2, pad - pad // 2) for pad in total), (0, 0)))
    kernel = layer.depthwise_kernel.value[..., 0]
    y = sum(
        padded[:, i : i + (sides[0] - 1) * stride + 1 : stride, j : j + (sides[1] - 1) * stride + 1 : stride]
        * kernel[i, j]
        for i in range(3)
        for j in range(3)
    )
    y = y @ layer.pointwise_kernel.value[0, 0]
    return y + layer.bias.value if layer.use_bias else y


def losses(outputs: dict[str, Array], targets: dict[str, Array], is_far: Array, weights: Array):
    """The losses of `fsanet train`, weighted as there; and the mean absolute error."""
    has_face, found = targets[FACE_SCORE], outputs[POSE]
    geodesic = geodesic_angles(targets[POSE], found)
    absolute = jnp.abs(targets[POSE] - found).mean(-1)
    of_pose = weights * has_face * jnp.where(is_far, FAR_WEIGHT, 1.0)
    near = weights * has_face * ~is_far
    error = jax.lax.stop_gradient(jnp.where(has_face > 0, geodesic, FACELESS_ERROR_DEG))
    expected = outputs[UNCERTAINTY] + 0.2
    score = jnp.clip(outputs[FACE_SCORE], 1e-6, 1 - 1e-6)
    each = {
        POSE: (of_pose * (absolute + geodesic) / 2).sum() / of_pose.sum(),
        UNCERTAINTY: (
            jnp.where(has_face > 0, weights, FACELESS_WEIGHT) * (jnp.log(expected) + error / expected)
        ).mean(),
        BOX_OFFSET: (jnp.abs(outputs[BOX_OFFSET] - targets[BOX_OFFSET]).mean(-1) * has_face).mean(),
        FACE_SCORE: -(has_face * jnp.log(score) + (1 - has_face) * jnp.log(1 - score)).mean(),
    }
    measured = jnp.stack([(near * absolute).sum() / near.sum(), each[BOX_OFFSET]])
    return sum(LOSS_WEIGHTS[name] * each[name] for name in each), measured


class Trainer:
    """A network, its faces on the device, and the state of its training."""

    def __init__(
        self, model: keras.Model, data: str, validation_fraction: float, batch: int, peak_rate: float
    ):
        dataset = load_dataset(data.split(","))
        self.rows, self.held_out = split_dataset(dataset, MAX_ANGLE_DEG, validation_fraction)
        views = dataset.views(SHIPPED_CROP.margin_ratio)
        arrays = (dataset.images, dataset.poses, views, dataset.weights, self.rows)
        self.faces = tuple(jnp.asarray(array) for array in arrays)
        self.size, self.model, self.batch, self.peak_rate = model.input_shape[1], model, batch, peak_rate
        self.optimizer = optax.chain(
            optax.clip_by_global_norm(20.0),
            optax.scale_by_adam(),
            optax.add_decayed_weights(1e-4, mask=lambda weights: [w.ndim > 1 for w in weights]),
        )

    def draw(self, faces: tuple[Array, ...], key: Array, strength: Array):
        """Draw a batch of augmented faces."""
        draw, change = jax.random.split(key)
        *arrays, rows = faces
        chosen = rows[jax.random.randint(draw, (self.batch,), 0, len(rows))]
        images, poses, views, weights = (array[chosen] for array in arrays)
        keys = jax.random.split(change, self.batch)
        return *augmented(keys, images, poses, views, strength, self.size), weights

    def step(self, faces, state, key_rate_strength):
        trained, others, moments, average, count = state
        key, rate, strength = key_rate_strength
        images, *rest = self.draw(faces, key, strength)

        def loss(trained, others):
            outputs, others = self.model.stateless_call(trained, others, images, training=True)
            total, measured = losses(outputs, *rest)
            return total, (others, measured)

        gradients, (others, measured) = jax.grad(loss, has_aux=True)(trained, others)
        updates, moments = self.optimizer.update(gradients, moments, trained)
        trained = [w - rate * u for w, u in zip(trained, updates, strict=True)]
        count += 1
        momentum = jnp.minimum(0.9995, (1 + count) / (10 + count))
        average = [momentum * a + (1 - momentum) * w for a, w in zip(average, trained, strict=True)]
        return (trained, others, moments, average, count), measured

    def train(self, minutes: float, max_steps: int, seed: int, scan: int) -> dict[str, float]:
        """Train for a time; the model has the averaged weights afterwards."""
        trained = [variable.value for variable in self.model.trainable_variables]
        others = [variable.value for variable in self.model.non_trainable_variables]
        state = (trained, others, self.optimizer.init(trained), trained, jnp.float32(0))
        state = jax.tree.map(jnp.copy, state)  # since it is donated

        def steps(state, faces, inputs):
            return jax.lax.scan(functools.partial(self.step, faces), state, inputs)

        many = jax.jit(steps, donate_argnums=0)
        key, count, start, shown = jax.random.key(seed), 0, None, 0.0
        while True:
            elapsed = time.time() - start if start else 0.0
            progress = max(count / max_steps if max_steps else 0.0, elapsed / (60 * minutes))
            if progress >= 1:
                break
            rate = self.peak_rate * min(1.0, (count + 1) / 500) * 0.5 * (1 + np.cos(np.pi * progress))
            strength = 1.0 if progress < 0.7 else 1.0 - (progress - 0.7) / 0.3 * 0.4  # milder at the end
            keys = jax.random.split(jax.random.fold_in(key, count), scan)
            inputs = keys, jnp.full(scan, rate, jnp.float32), jnp.full(scan, strength, jnp.float32)
            state, measured = many(state, self.faces, inputs)
            measured = np.asarray(measured).mean(0)
            count, start = count + scan, start or time.time()
            if elapsed - shown > 15:
                shown = elapsed
                speed = count * self.batch / elapsed
                print(
                    f"{count} steps, {elapsed:.0f} s, {speed:.0f} faces/s, MAE {measured[0]:.2f}°, "
                    f"offset {measured[1]:.4f}",
                    flush=True,
                )
        epochs = round(count * self.batch / len(self.rows), 1)
        self.assign(state[3], self.statistics(state[3], state[1], key))
        return {"steps": count, "epochs": epochs}

    def statistics(self, trained, others, key: Array):
        """Moving means and variances of the averaged weights, on faces augmented as at the end."""

        @jax.jit
        def pass_over(others, faces, keys):
            def one(others, key):
                images = self.draw(faces, key, 0.6)[0]
                return self.model.stateless_call(trained, others, images, training=True)[1], 0

            return jax.lax.scan(one, others, keys)[0]

        return pass_over(others, self.faces, jax.random.split(jax.random.fold_in(key, 10**8), 400))

    def assign(self, trained, others) -> None:
        variables = (*self.model.trainable_variables, *self.model.non_trainable_variables)
        for variable, value in zip(variables, (*trained, *others), strict=True):
            variable.assign(value)

    def measure(self) -> dict[str, float]:
        """Errors on held-out faces as they are, and the error that the network expects."""
        images, poses, views = (array[self.held_out] for array in self.faces[:3])
        u = (jnp.arange(self.size) + 0.5) / self.size - 0.5

        @jax.jit
        def errors(images, poses, views):
            def centered(image, view):
                side, center = image.shape[0] * view, (image.shape[0] - 1) / 2
                return bilinear(image, *jnp.meshgrid(u * side + center, u * side + center))

            found = self.model(jax.vmap(centered)(images, views), training=False)
            absolute = jnp.abs(found[POSE] - poses).mean(-1)
            return absolute.mean(), geodesic_angles(poses, found[POSE]).mean(), found[UNCERTAINTY].mean()

        names = ("validation_mae_deg", "validation_geodesic_deg", "validation_expected_deg")
        return {
            name: round(float(value), 4)
            for name, value in zip(names, errors(images, poses, views), strict=True)
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--variant", required=True, help="Name of a variant.")
    parser.add_argument("--data", required=True, help="The .npz files, separated by commas.")
    parser.add_argument("--output", type=Path, required=True, help="The .keras file to write.")
    parser.add_argument("--minutes", type=float, default=8.0, help="Time after the first steps.")
    parser.add_argument("--max_steps", type=int, default=0, help="End earlier; 0: when the time is over.")
    parser.add_argument("--validation_fraction", type=float, default=0.06, help="Held out.")
    parser.add_argument("--batch_size", type=int, default=256)
    parser.add_argument("--learning_rate", type=float, default=3e-3)
    parser.add_argument("--scan", type=int, default=20, help="Steps of one call of the device.")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(arguments.seed)
    keras.layers.SeparableConv2D.call = depthwise_as_products
    model = build_model(arguments.variant, localize=True, uncertainty=True)
    trainer = Trainer(
        model, arguments.data, arguments.validation_fraction, arguments.batch_size, arguments.learning_rate
    )
    print(
        f"{model.name}: {model.count_params()} parameters, {len(trainer.rows)} faces, {jax.devices()}",
        flush=True,
    )
    done = trainer.train(arguments.minutes, arguments.max_steps, arguments.seed, arguments.scan)
    done |= trainer.measure()
    options = ("minutes", "validation_fraction", "batch_size", "learning_rate", "seed")
    training = {"recipe": "recipes/on_gpu.py", "max_angle_deg": MAX_ANGLE_DEG}
    training |= {name: getattr(arguments, name) for name in options}
    about = {
        "variant": model.name,
        "version": fsanet_tf.__version__,
        "data": hashed_files(arguments.data.split(",")),
        "training": training,
        **done,
    }
    save_model(arguments.output, model, NetworkCard(crop=SHIPPED_CROP, about=about))
    print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
