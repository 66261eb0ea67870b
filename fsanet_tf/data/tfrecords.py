"""TFRecord shards of a dataset: training without the whole of it in memory.

A record contains `image` (the uint8 BGR pixels of a crop), `pose` (yaw, pitch, roll in degrees), `weight`
and `margin_ratio`. An index, `NAME.tfrecords.json`, names the shards next to it and counts their faces.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from fsanet_tf.data.dataset import UNREADABLE, load_joint_labels, open_images
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG, within_angle
from fsanet_tf.io.files import replace_when_done, require_file, write_json

__all__ = ["write_shards"]

SUFFIX = ".tfrecords.json"
SHUFFLE_WINDOW = 8192  # crops shuffled together: 100 MB at 64 pixels
UNKNOWN_MARGIN = -1.0


@dataclasses.dataclass(frozen=True)
class Shards:
    """The content of an index file.

    Attributes:
        paths: The shard files.
        num_faces: Number of faces per shard.
        num_moderate: Number of faces per shard whose angles lie within ±99°.
        image_size: Side of the crops in pixels.
        crop: How the crops were cut; None if that is unknown, or their margins differ.
        mixed_margins: Whether the crops have different margins.
    """

    paths: tuple[Path, ...]
    num_faces: tuple[int, ...]
    num_moderate: tuple[int, ...]
    image_size: int
    crop: CropRule | None
    mixed_margins: bool = False

    def split(self, validation_fraction: float) -> tuple[Shards, Shards]:
        """Split into training and validation shards; groups of faces were assigned to shards at random."""
        count = round(len(self.paths) * validation_fraction)
        return self.pick(range(count, len(self.paths))), self.pick(range(count))

    def pick(self, numbers: Sequence[int]) -> Shards:
        """Return some of the shards, by number."""
        return dataclasses.replace(
            self,
            paths=tuple(self.paths[i] for i in numbers),
            num_faces=tuple(self.num_faces[i] for i in numbers),
            num_moderate=tuple(self.num_moderate[i] for i in numbers),
        )

    def count(self, max_angle_deg: float) -> int:
        """Count the faces within ±`max_angle_deg`, which is 99, or 0 for all.

        Raises:
            InputError: If it is another angle, for which the index has no counts.
        """
        counts = {MAX_ANGLE_DEG: self.num_moderate, 0.0: self.num_faces}
        if max_angle_deg not in counts:
            raise InputError(f"max_angle_deg: expected 99 or 0 with shards, received {max_angle_deg:g}")
        return sum(counts[max_angle_deg])

    def needs_views(self, margin_ratio: float | None) -> bool:
        """Return whether crops have to be cut to the common margin.

        Raises:
            InputError: If the margins differ and none is given, or they are unknown and one is given.
        """
        if margin_ratio is None:
            if self.mixed_margins:
                raise InputError("the crops have different margins: expected --margin_ratio, a common one")
            return False
        if self.crop is None and not self.mixed_margins:
            raise InputError(f"margin_ratio {margin_ratio}: the margins of the crops are unknown")
        return self.crop is None or self.crop.margin_ratio != margin_ratio


def write_shards(
    data: Sequence[str | Path], index_path: str | Path, num_shards: int, seed: int = 0
) -> Shards:
    """Distribute the faces of `.npz` files over TFRecord shards at random, group by group.

    Args:
        data: The files; they are read as streams, never as a whole.
        index_path: The index to write, `NAME.tfrecords.json`; the shards are written next to it.
        num_shards: Number of files; fewer if there are fewer groups of faces.
        seed: Random seed.

    Returns:
        The content of the index.

    Raises:
        InputError: If a file cannot be used, or the files' image sizes differ.

    Example:
        >>> len(fsanet_tf.write_shards(["faces.npz"], "faces.tfrecords.json", num_shards=2).paths)
        2
    """
    index_path = Path(index_path)
    if not index_path.name.endswith(SUFFIX):
        raise InputError(f"{index_path}: expected a name that ends in {SUFFIX}")
    labels, image_size = load_joint_labels(data)
    groups = labels.group_numbers()
    num_shards = min(num_shards, int(groups.max()) + 1)  # none is empty
    shard_of = (np.random.default_rng(seed).permutation(groups.max() + 1) % num_shards)[groups]
    moderate = within_angle(labels.poses)
    margins = labels.margin_ratios
    if margins is None:
        margins = np.full(len(labels), UNKNOWN_MARGIN, np.float32)
    stem = index_path.name.removesuffix(SUFFIX)
    names = [f"{stem}-{i:05d}-of-{num_shards:05d}.tfrecord" for i in range(num_shards)]
    with replace_when_done(index_path.with_name(f"{stem}-shards")) as scratch:
        scratch.mkdir()
        writers = [tf.io.TFRecordWriter(str(scratch / name)) for name in names]
        rows = zip(
            _stream_images(data, image_size), labels.poses, labels.weights, margins, shard_of, strict=True
        )
        for image, pose, weight, margin, shard in rows:
            writers[shard].write(_record(image, pose, weight, margin))
        for writer in writers:
            writer.close()
    index = {
        "shards": [f"{stem}-shards/{name}" for name in names],
        "num_faces": np.bincount(shard_of, minlength=num_shards).tolist(),
        "num_moderate": np.bincount(shard_of[moderate], minlength=num_shards).tolist(),
        "image_size": image_size,
        "crop": labels.crop and dataclasses.asdict(labels.crop),
        "mixed_margins": labels.margin_ratios is not None and labels.crop is None,
    }
    write_json(index_path, index)
    return read_index(index_path)


def _stream_images(data: Sequence[str | Path], image_size: int) -> Iterator[bytes]:
    num_bytes = image_size * image_size * 3
    for path in data:
        try:
            with open_images(Path(path)) as (stream, _):
                while image := stream.read(num_bytes):
                    yield image
        except UNREADABLE as error:
            raise InputError(f"{path}: could not read it to the end ({error})") from error


def _record(image: bytes, pose: np.ndarray, weight: float, margin_ratio: float) -> bytes:
    def floats(*values: float) -> Any:
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        "pose": floats(*pose),
        "weight": floats(weight),
        "margin_ratio": floats(margin_ratio),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def read_index(index_path: str | Path) -> Shards:
    """Read an index and check that its shards exist.

    Raises:
        InputError: If it is not an index, or a shard is missing.
    """
    index_path = require_file(index_path, f"an index of shards (*{SUFFIX})")
    try:
        index = json.loads(index_path.read_text())
        shards = Shards(
            tuple(index_path.parent / name for name in index["shards"]),
            tuple(index["num_faces"]),
            tuple(index["num_moderate"]),
            index["image_size"],
            index["crop"] and CropRule(**index["crop"]),
            bool(index.get("mixed_margins", False)),
        )
        for counts in (shards.num_faces, shards.num_moderate, (shards.image_size,) * len(shards.paths)):
            if len(counts) != len(shards.paths) or not all(type(n) is int and n >= 0 for n in counts):
                raise ValueError(
                    f"expected a count for each of {len(shards.paths)} shards, received {counts}"
                )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{index_path}: expected an index of shards, could not read it ({error})") from error
    for path in shards.paths:
        require_file(path, "a shard of " + str(index_path))
    return shards


def read_faces(
    shards: Shards,
    max_angle_deg: float,
    margin_ratio: float | None = None,
    shuffle_seed: tuple[int, int | tf.Tensor] | None = None,
) -> tf.data.Dataset:
    """Read the faces of the shards once.

    Args:
        shards: The shards.
        max_angle_deg: Leave out faces with a larger angle; 0 keeps all.
        margin_ratio: Margin that crops are to be cut to; None: their own.
        shuffle_seed: Seed and epoch, which determine the order; None: the order of the files.

    Returns:
        Elements of a uint8 image `(S, S, 3)`, a float32 pose `(3,)`, weight and view (see
        `FaceLabels.views`).
    """
    size = shards.image_size
    spec = {
        "image": tf.io.FixedLenFeature((), tf.string),
        "pose": tf.io.FixedLenFeature((3,), tf.float32),
        "weight": tf.io.FixedLenFeature((), tf.float32, 1.0),
        "margin_ratio": tf.io.FixedLenFeature((), tf.float32, UNKNOWN_MARGIN),
    }

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, ...]:
        face = tf.io.parse_single_example(record, spec)
        image = tf.reshape(tf.io.decode_raw(face["image"], tf.uint8), (size, size, 3))
        view = tf.constant(1.0)
        if margin_ratio is not None:
            view = (1 + 2 * margin_ratio) / (1 + 2 * face["margin_ratio"])
        return image, face["pose"], face["weight"], view

    paths = tf.constant([str(path) for path in shards.paths])
    if shuffle_seed is not None:
        seed = tf.cast(tf.stack(shuffle_seed), tf.int32)
        paths = tf.random.experimental.stateless_shuffle(paths, seed)
    faces = tf.data.Dataset.from_tensor_slices(paths).interleave(
        tf.data.TFRecordDataset, cycle_length=4, num_parallel_calls=1, deterministic=True
    )
    faces = faces.map(parse)
    if max_angle_deg:
        faces = faces.filter(lambda _, pose, *__: tf.reduce_all(tf.abs(pose) <= max_angle_deg))
    if shuffle_seed is not None:

        def shuffled(number: tf.Tensor, window: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, ...]:
            window_seed = tf.random.fold_in(seed, tf.cast(number, tf.int32))
            order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(window[0])[0]), window_seed)
            return tuple(tf.gather(part, order) for part in window)

        faces = faces.batch(SHUFFLE_WINDOW).enumerate().map(shuffled).unbatch()
    return faces
