"""Which faces are held out: groups stay together, and a network's card tells them later."""

import numpy as np
import pytest

from fsanet_tf.data.dataset import FaceDataset, hash_dataset, load_dataset, save_dataset
from fsanet_tf.data.split import held_out_rows, split_by_group, split_dataset
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.networks.card import NetworkCard


def test_split_is_seeded_disjoint_and_complete():
    rows = np.arange(10, 110)
    alone = np.arange(200)
    training, validation = split_by_group(rows, alone, 0.2, seed=3)
    assert len(validation) == 20 and sorted([*training, *validation]) == rows.tolist()
    np.testing.assert_array_equal(split_by_group(rows, alone, 0.2, seed=3)[1], validation)
    assert (split_by_group(rows, alone, 0.2, seed=4)[1] != validation).any()


def test_a_group_is_never_split():
    groups = np.arange(200) // 7
    training, validation = split_by_group(np.arange(200), groups, 0.3, seed=1)
    assert 40 <= len(validation) <= 60 and not set(groups[training]) & set(groups[validation])


def test_folds_cover_every_face_once():
    groups = np.arange(200) // 7
    folds = [split_by_group(np.arange(200), groups, 0.25, seed=1, fold=fold)[1] for fold in range(4)]
    assert sorted(np.concatenate(folds)) == list(range(200))


@pytest.fixture
def files(tmp_path, rng):
    paths = [tmp_path / "a.npz", tmp_path / "b.npz", tmp_path / "other.npz"]
    for path, count in zip(paths, (30, 20, 10), strict=True):
        poses = rng.uniform(-60, 60, (count, 3))
        images = np.zeros((count, 16, 16, 3), np.uint8)
        save_dataset(path, FaceDataset.from_arrays(images, poses, crop=CropRule(0.6)))
    return paths


def card_of(paths, **training):
    data = [{"file": path.name, "sha256": hash_dataset(path)} for path in paths]
    return NetworkCard(about={"data": data, "training": {"validation_fraction": 0.2, **training}})


def test_a_card_tells_which_faces_were_held_out(files):
    a, b, other = files
    card = card_of([a, b], fold=1)
    _, expected = split_dataset(load_dataset([a, b]), 99.0, 0.2, fold=1)
    assert held_out_rows([a, b], card).tolist() == expected.tolist()
    of_b = [row - 30 for row in expected if row >= 30]
    assert held_out_rows([b], card).tolist() == of_b  # `a` is next to it
    assert held_out_rows([b, a], card).tolist() == of_b + [row + 20 for row in expected if row < 30]
    assert held_out_rows([other], card).tolist() == list(range(10))


def test_a_file_whose_companions_are_absent_counts_as_trained_on(files):
    a, b, _ = files
    card = card_of([a, b])
    b.unlink()
    assert held_out_rows([a], card).size == 0


def test_faces_of_an_earlier_stage_and_those_with_validation_data_count_as_trained_on(files):
    a, b, _ = files
    card = card_of([a], validation_data=["b.npz"])
    assert held_out_rows([a], card).size == 0 and len(held_out_rows([b], card)) == 20
    later = card_of([b])
    later.about["started_from"] = dict(card.about)
    assert held_out_rows([a], later).size == 0 and 0 < len(held_out_rows([b], later)) < 20
