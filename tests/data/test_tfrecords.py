"""Shards hold every face once, and know how their crops were cut."""

import numpy as np

from fsanet_tf.data.dataset import FaceDataset, save_dataset
from fsanet_tf.data.tfrecords import read_faces, read_index, write_shards
from fsanet_tf.geometry.crop import CropRule


def test_fewer_faces_than_shards_make_fewer_shards(tmp_path, rng):
    images = rng.integers(0, 256, (7, 16, 16, 3), dtype=np.uint8)
    poses = rng.uniform(-50, 50, (7, 3)).astype("float32")
    data = FaceDataset.from_arrays(images, poses, np.full(7, ""), CropRule(0.29, square=True))
    save_dataset(tmp_path / "a.npz", data)
    write_shards([tmp_path / "a.npz"], tmp_path / "a.tfrecords.json", num_shards=20)
    shards = read_index(tmp_path / "a.tfrecords.json")
    assert shards.num_faces == (1,) * 7 and shards.crop == data.crop
    seen = [tuple(pose.numpy()) for _, pose, *_ in read_faces(shards, 0)]
    assert sorted(seen) == sorted(map(tuple, poses))
