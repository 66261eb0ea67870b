"""Evaluation of networks on faces with known poses."""

from __future__ import annotations

import csv
import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fsanet_tf.data.dataset import FaceDataset, load_dataset
from fsanet_tf.data.split import held_out_rows
from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.evaluation.config import EvaluationConfig
from fsanet_tf.evaluation.report import UNCHANGED, EvaluatedFaces, EvaluationReport
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.geometry.pose import ANGLE_NAMES
from fsanet_tf.io.files import replace_when_done, writable_folder, write_json
from fsanet_tf.networks.card import POSE
from fsanet_tf.networks.network import BATCH, Mirrored, Network, load_network, predict_crops
from fsanet_tf.options import checked

__all__ = ["evaluate"]


def evaluate(config: EvaluationConfig, progress: bool = False) -> EvaluationReport:
    """Evaluate networks on faces with known poses, and optionally compare them with others.

    Of data that a network was trained on, only the faces that its training held out are counted, unless the
    configuration requests all; the report contains a note.

    Args:
        config: Networks and data. With `output_dir`, `report.json`, `faces.csv` (a line per face) and figures
            are written there.
        progress: Whether to show a progress bar.

    Returns:
        The errors and the poses.

    Raises:
        InputError: If a network or a file cannot be used, or no face is left.

    Example:
        >>> report = fsanet_tf.evaluate(fsanet_tf.EvaluationConfig(network=("1x1", "var"), data="faces.npz"))
        >>> sorted(report.errors_deg)[-1]
        'all'
    """
    checked("config", EvaluationConfig, config)
    if config.output_dir is not None:
        writable_folder(config.output_dir)
    networks = [load_network(config.network, trust=config.trust)]
    if config.compare_with:
        networks.append(load_network(config.compare_with, trust=config.trust))
    datasets = [load_dataset(path) for path in config.data]
    held_out = (held_out_rows(config.data, network.card) for network in networks)
    is_unseen = np.zeros(sum(map(len, datasets)), bool)
    is_unseen[functools.reduce(np.intersect1d, held_out)] = True
    unseen = np.split(is_unseen, np.cumsum([len(dataset) for dataset in datasets])[:-1])
    parts = [
        _evaluate_file(*file, networks, config, progress)
        for file in zip(config.data, datasets, unseen, strict=True)
    ]
    report = EvaluationReport(config, tuple(parts))
    if config.output_dir is not None:
        _write(report, Path(config.output_dir))
    return report


def _evaluate_file(
    path: str,
    dataset: FaceDataset,
    is_unseen: np.ndarray,
    networks: list[Network],
    config: EvaluationConfig,
    progress: bool,
) -> EvaluatedFaces:
    rows = dataset.rows_within(config.max_angle_deg)
    if not len(rows):
        raise InputError(f"{path}: no face has all angles within ±{config.max_angle_deg:g}°")
    left_out = len(dataset) - len(rows)
    contained = dataset.crop or "crops of unknown or different margins"
    notes = [
        f"{path} contains {contained}; {network.name} expects {network.card.crop}"
        for network in networks
        if dataset.crop != network.card.crop
    ]
    if dataset.labeled_by:
        notes.append(
            f"{path}: its poses are answers of the network {dataset.labeled_by}, so the errors are "
            "differences from that network"
        )
    rows = _counted_rows(path, rows, rows[is_unseen[rows]], config, notes)
    used = [Mirrored(network) if config.mirror else network for network in networks]
    kinds = [UNCHANGED, *(f"{name} {strength}" for name, strength in config.corruptions())]
    chunks = np.array_split(rows, -(-len(rows) // BATCH))
    found: dict[str, list[list[np.ndarray]]] = {kind: [[] for _ in used] for kind in kinds}
    rounds = list(itertools.product(kinds, chunks))
    for kind, chunk in tqdm(rounds, desc=Path(path).name, unit="batch", disable=not progress):
        crops = _corrupted(dataset, chunk, kind, used[0].card.crop)
        for network, poses in zip(used, found[kind], strict=True):
            poses.append(predict_crops(network, crops)[POSE])
    predicted = {kind: tuple(map(np.concatenate, poses)) for kind, poses in found.items()}
    return EvaluatedFaces(path, dataset, rows, left_out, tuple(notes), predicted)


def _counted_rows(
    path: str, rows: np.ndarray, unseen: np.ndarray, config: EvaluationConfig, notes: list[str]
) -> np.ndarray:
    """Return the faces that count, of all and those held out from training, with a note on them."""
    seen = len(rows) - len(unseen)
    trained_on = f"{path}: {seen} of its {len(rows)} faces were trained on"
    if seen and not len(unseen):
        notes.append(
            f"{path}: none of its {seen} faces is known to be held out from training, so the errors may be "
            "too small"
        )
    elif seen and config.held_out == "auto":
        notes.append(f"{trained_on}; these are the {len(unseen)} others")
        return unseen
    elif seen:
        notes.append(f"{trained_on}, so the errors are too small")
    return rows


def _corrupted(dataset: FaceDataset, chunk: np.ndarray, kind: str, rule: CropRule) -> np.ndarray:
    """Return crops, corrupted or as they are."""
    crops = dataset.images[chunk]
    if kind == UNCHANGED:
        return crops
    with optional_dependencies():
        from fsanet_tf.evaluation.corruptions import corrupt
    name, strength = kind.split()
    face_share = 1 / (dataset.crop or rule).growth
    return corrupt(crops, dataset.poses[chunk], name, int(strength), face_share, int(chunk[0]))


def _write(report: EvaluationReport, output_dir: Path) -> None:
    from fsanet_tf.evaluation.figures import draw_report

    draw_report(report, output_dir)
    with (
        replace_when_done(output_dir / "faces.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        csv.writer(file).writerows(_table(report))
    write_json(output_dir / "report.json", report.as_json())


def _table(report: EvaluationReport) -> Iterator[list[str]]:
    """Yield the header of `faces.csv`, and a line per face."""
    kinds = ("predicted", "compared")[: len(report.predictions_deg)]
    columns = [f"{angle}_{kind}" for kind in ("true", *kinds) for angle in ANGLE_NAMES]
    yield ["data", "row", "name", *columns, *("geodesic_error", "geodesic_error_compared")[: len(kinds)]]
    numbers = np.concatenate(
        [report.true_deg, *report.predictions_deg, *(e[:, None] for e in report.geodesic_errors_deg)], axis=1
    )
    labels = ((part.path, row, part.dataset.names[row]) for part in report.parts for row in part.rows)
    for (path, row, name), values in zip(labels, numbers, strict=True):
        yield [path, str(row), str(name), *(f"{value:.4f}" for value in values)]
