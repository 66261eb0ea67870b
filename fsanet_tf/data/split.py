"""Splits of a dataset into faces that train a network and faces that are held out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fsanet_tf.data.dataset import FaceDataset, hash_dataset, load_dataset
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG
from fsanet_tf.networks.card import NetworkCard

SPLIT_SEED = 0  # runs of different seeds hold out the same faces


def split_by_group(
    rows: np.ndarray, groups: np.ndarray, validation_fraction: float, seed: int = SPLIT_SEED, fold: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Split at random into training and validation rows, keeping groups together.

    Args:
        rows: Indices of the faces to split.
        groups: Number of each face's group, for all faces.
        validation_fraction: Share of the faces to validate on; groups are taken while they fit.
        seed: Random seed.
        fold: Which share to validate on: fold 0 the first `validation_fraction`, fold 1 the next, …

    Returns:
        Training and validation rows, each in increasing order.

    Example:
        >>> [len(part) for part in split_by_group(np.arange(10), np.arange(10), 0.2)]
        [8, 2]
    """
    names, group_of, sizes = np.unique(groups[rows], return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    ends, share = np.cumsum(sizes[order]), len(rows) * validation_fraction
    held_out = order[(ends > round(fold * share)) & (ends <= round((fold + 1) * share))]
    is_held_out = np.isin(group_of, held_out)
    return rows[~is_held_out], rows[is_held_out]


def split_dataset(
    dataset: FaceDataset, max_angle_deg: float, validation_fraction: float, fold: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Split a dataset as `train` does.

    Args:
        dataset: The dataset.
        max_angle_deg: Leave out faces with a larger angle; 0 keeps all.
        validation_fraction, fold: As in `split_by_group`.

    Returns:
        Training and validation rows.

    Example:
        >>> training, validation = split_dataset(fsanet_tf.load_dataset("faces.npz"), 99.0, 0.25)
        >>> len(training), len(validation)
        (18, 6)
    """
    rows = dataset.rows_within(max_angle_deg)
    return split_by_group(rows, dataset.group_numbers(), validation_fraction, fold=fold)


def held_out_rows(paths: Sequence[str | Path], card: NetworkCard) -> np.ndarray:
    """Return the faces of a dataset that a network was not trained on.

    A card names the files that the network was trained on with their hashes, and how they were split;
    likewise for the network that the training started from, and for those that a mean consists of. A file
    that was trained on together with others can be split again only if those are among `paths` or next to
    them: else all of its faces count as trained on.

    Args:
        paths: The dataset's files, joined in this order.
        card: The network's card.

    Returns:
        Their rows in increasing order; all rows if the card names none of the files.

    Raises:
        InputError: If a file cannot be read.

    Example:
        >>> len(held_out_rows(["faces.npz"], fsanet_tf.load_network("var").card))
        24
    """
    files = [Path(path) for path in paths]
    lengths = [len(load_dataset(path)) for path in files]
    starts = np.cumsum([0, *lengths])
    trained = np.zeros(starts[-1], bool)
    for record in _records(card.about):
        faces_by_hash = _trained_faces(files, record)
        for path, start, length in zip(files, starts[:-1], lengths, strict=True):
            trained[start : start + length] |= faces_by_hash.get(hash_dataset(path), False)
    return np.flatnonzero(~trained)


def _records(about: Any) -> Iterator[Mapping[str, Any]]:
    """Yield what a card says of a network's training, of the one it started from, and of its members."""
    if isinstance(about, Mapping):
        yield about
        members = about.get("members")
        for other in (about.get("started_from"), *(members if isinstance(members, list) else ())):
            yield from _records(other)


def _trained_faces(paths: Sequence[Path], record: Mapping[str, Any]) -> dict[str, np.ndarray | bool]:
    """Return which faces of each file, by its hash, a run trained on; True: all, or it cannot be told."""
    listed, training = record.get("data"), record.get("training")
    files = [file for file in listed if isinstance(file, Mapping)] if isinstance(listed, list) else []
    config = training if isinstance(training, Mapping) else {}
    neighbors = (path.parent / Path(str(file.get("file"))).name for path in paths for file in files)
    candidates = [*paths, *(path for path in neighbors if path.is_file())]
    path_of = {hash_dataset(path): path for path in candidates}
    hashes = [str(file.get("sha256")) for file in files]
    options: tuple[Any, ...] = (
        config.get("max_angle_deg", MAX_ANGLE_DEG),
        config.get("validation_fraction"),
        config.get("fold", 0),
    )
    is_split = all(isinstance(value, int | float) and math.isfinite(value) for value in options)
    if not is_split or config.get("validation_data") or not set(hashes) <= set(path_of):
        return dict.fromkeys(hashes, True)
    if not hashes:
        return {}
    ordered = [path_of[digest] for digest in hashes]
    dataset = load_dataset(ordered)
    rows, _ = split_dataset(dataset, *options)
    trained = np.zeros(len(dataset), bool)
    trained[rows] = True
    ends = np.cumsum([len(load_dataset(path)) for path in ordered])
    faces: dict[str, np.ndarray | bool] = {}
    for digest, part in zip(hashes, np.split(trained, ends[:-1]), strict=True):
        faces[digest] = faces.get(digest, False) | part
    return faces
