"""TFRecord shards of a data set: training without the whole of it in memory.

A record holds `image` (the uint8 BGR pixels of a crop) and `pose` (yaw, pitch, roll in degrees). An
index, `NAME.tfrecords.json`, names the shards beside it and counts their faces.
"""

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from fsanet_tf.crop import CropRule
from fsanet_tf.data.dataset import MAX_ANGLE_DEG, UNREADABLE, is_moderate, load_joint_poses, open_images
from fsanet_tf.errors import InputError
from fsanet_tf.files import replace_when_done, require_file, write_json

SUFFIX = ".tfrecords.json"
SHUFFLE_WINDOW = 8192  # crops shuffled together: 100 MB at 64 pixels


@dataclasses.dataclass(frozen=True)
class Shards:
    """What an index file says.

    Attributes:
        paths: the shard files.
        num_faces: in each shard, all of them.
        num_moderate: in each shard, those within protocol 1.
        image_size: side of the crops.
        crop: how the crops were cut; None where not known.
    """

    paths: tuple[Path, ...]
    num_faces: tuple[int, ...]
    num_moderate: tuple[int, ...]
    image_size: int
    crop: CropRule | None

    def split(self, validation_fraction: float) -> tuple["Shards", "Shards"]:
        """Training and validation shards; faces were dealt to shards at random."""
        count = round(len(self.paths) * validation_fraction)
        return self.pick(range(count, len(self.paths))), self.pick(range(count))

    def pick(self, numbers: Sequence[int]) -> "Shards":
        return dataclasses.replace(
            self,
            paths=tuple(self.paths[i] for i in numbers),
            num_faces=tuple(self.num_faces[i] for i in numbers),
            num_moderate=tuple(self.num_moderate[i] for i in numbers),
        )

    def count(self, protocol: int) -> int:
        """Faces that count under a protocol."""
        return sum(self.num_moderate if protocol == 1 else self.num_faces)


def write_shards(data: Sequence[Path], index_path: Path, num_shards: int, seed: int = 0) -> Shards:
    """Deal the faces of `.npz` files to shards at random.

    Args:
        data: the files; they are read as streams, never whole.
        index_path: the index to write, `NAME.tfrecords.json`; the shards stand beside it.
        num_shards: files to write; fewer where there are fewer faces.
        seed: of the dealing.

    Raises:
        InputError: a file cannot be used, or the files' image sizes differ.
    """
    if not index_path.name.endswith(SUFFIX):
        raise InputError(f"{index_path}: expected a name that ends in {SUFFIX}")
    poses, image_size, crop = load_joint_poses(data)
    num_shards = min(num_shards, len(poses))  # none is empty
    shard_of = np.random.default_rng(seed).permutation(len(poses)) % num_shards
    moderate = is_moderate(poses)
    stem = index_path.name.removesuffix(SUFFIX)
    names = [f"{stem}-{i:05d}-of-{num_shards:05d}.tfrecord" for i in range(num_shards)]
    with replace_when_done(index_path.with_name(f"{stem}-shards")) as scratch:
        scratch.mkdir()
        writers = [tf.io.TFRecordWriter(str(scratch / name)) for name in names]
        for image, pose, shard in zip(_stream_images(data, image_size), poses, shard_of, strict=True):
            writers[shard].write(_record(image, pose))
        for writer in writers:
            writer.close()
    index = {
        "shards": [f"{stem}-shards/{name}" for name in names],
        "num_faces": np.bincount(shard_of, minlength=num_shards).tolist(),
        "num_moderate": np.bincount(shard_of[moderate], minlength=num_shards).tolist(),
        "image_size": image_size,
        "crop": crop and dataclasses.asdict(crop),
    }
    write_json(index_path, index)
    return read_index(index_path)


def _stream_images(data: Sequence[Path], image_size: int) -> Iterator[bytes]:
    num_bytes = image_size * image_size * 3
    for path in data:
        try:
            with open_images(path) as (stream, _):
                while image := stream.read(num_bytes):
                    yield image
        except UNREADABLE as error:
            raise InputError(f"{path}: could not read it to the end ({error})") from error


def _record(image: bytes, pose: np.ndarray) -> bytes:
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        "pose": tf.train.Feature(float_list=tf.train.FloatList(value=pose)),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def read_index(index_path: str | Path) -> Shards:
    """Read an index and find its shards.

    Raises:
        InputError: it is no index, or a shard is missing.
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
        )
        for counts in (shards.num_faces, shards.num_moderate, (shards.image_size,) * len(shards.paths)):
            if len(counts) != len(shards.paths) or not all(type(n) is int and n >= 0 for n in counts):
                raise ValueError(
                    f"expected a count for each of {len(shards.paths)} shards, received {counts}"
                )
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{index_path}: expected an index of shards, could not read it ({error})") from error
    for path in shards.paths:
        require_file(path, "a shard of " + str(index_path))
    return shards


def read_faces(
    shards: Shards, protocol: int, shuffle_seed: tuple[int, int | tf.Tensor] | None = None
) -> tf.data.Dataset:
    """The faces of the shards once, as pairs of a uint8 image and a float32 pose.

    Args:
        shards: which.
        protocol: 1 leaves out faces with an angle above 99°, 2 keeps all.
        shuffle_seed: seed and epoch; the same pair gives the same order. None keeps the files' order.
    """
    size = shards.image_size
    spec = {"image": tf.io.FixedLenFeature((), tf.string), "pose": tf.io.FixedLenFeature((3,), tf.float32)}

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        face = tf.io.parse_single_example(record, spec)
        image = tf.reshape(tf.io.decode_raw(face["image"], tf.uint8), (size, size, 3))
        return image, face["pose"]

    paths = tf.constant([str(path) for path in shards.paths])
    if shuffle_seed is not None:
        seed = tf.cast(tf.stack(shuffle_seed), tf.int32)
        paths = tf.random.experimental.stateless_shuffle(paths, seed)
    faces = tf.data.Dataset.from_tensor_slices(paths).interleave(
        tf.data.TFRecordDataset, cycle_length=4, num_parallel_calls=1, deterministic=True
    )
    faces = faces.map(parse)
    if protocol == 1:
        faces = faces.filter(lambda _, pose: tf.reduce_all(tf.abs(pose) <= MAX_ANGLE_DEG))
    if shuffle_seed is not None:

        def shuffled(number: tf.Tensor, window: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            images, poses = window
            window_seed = tf.random.fold_in(seed, tf.cast(number, tf.int32))
            order = tf.random.experimental.stateless_shuffle(tf.range(tf.shape(poses)[0]), window_seed)
            return tf.gather(images, order), tf.gather(poses, order)

        faces = faces.batch(SHUFFLE_WINDOW).enumerate().map(shuffled).unbatch()
    return faces
