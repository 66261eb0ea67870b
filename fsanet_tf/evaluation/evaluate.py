"""Evaluation of networks on a dataset."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fsanet_tf.data.dataset import FaceDataset, load_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.evaluation.metrics import Errors, measure, measure_by_yaw
from fsanet_tf.geometry.pose import ANGLE_NAMES, MAX_ANGLE_DEG, geodesic_errors
from fsanet_tf.io.files import replace_when_done, sha256, write_json
from fsanet_tf.networks.batching import predict_poses
from fsanet_tf.networks.network import load_network
from fsanet_tf.networks.pretrained import network_file

__all__ = ["EvaluationReport", "evaluate"]


@dataclasses.dataclass(frozen=True)
class EvaluationReport:
    """The result of an evaluation.

    Attributes:
        networks: Path or name of each network; the poses of several are averaged.
        data: File of the faces.
        max_angle_deg: Faces with a larger angle were left out; 0: none.
        images_left_out: How many.
        errors_deg: Errors of all faces (`all`) and by range of the true |yaw|, in degrees.
        predicted_deg: Predicted poses `(N, 3)`.
        true_deg: True poses `(N, 3)`.
        mirror: Whether predictions for mirrored crops were averaged in.
        notes: Lines to heed, such as a network that expects another crop than the dataset contains.

    Example:
        >>> report = fsanet_tf.evaluate("1x1", "faces.npz")
        >>> report.errors_deg["all"].images == len(report.predicted_deg)
        True
    """

    networks: tuple[str, ...]
    data: str
    max_angle_deg: float
    images_left_out: int
    errors_deg: dict[str, Errors]
    predicted_deg: np.ndarray
    true_deg: np.ndarray
    mirror: bool = False
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what `report.json` contains."""
        files = [network_file(source) for source in self.networks]
        return {
            "networks": [
                {"file": source, "sha256": sha256(file) if file.is_file() else None}
                for source, file in zip(self.networks, files, strict=True)
            ],
            "data": self.data,
            "max_angle_deg": self.max_angle_deg,
            "mirror": self.mirror,
            "images_left_out": self.images_left_out,
            "errors_deg": {name: dataclasses.asdict(errors) for name, errors in self.errors_deg.items()},
        }


def evaluate(
    networks: str | Path | Sequence[str | Path],
    data: str | Path,
    max_angle_deg: float = MAX_ANGLE_DEG,
    output_dir: str | Path | None = None,
    mirror: bool = False,
    trust: bool = False,
) -> EvaluationReport:
    """Measure networks on a dataset.

    Args:
        networks: A path or shipped name, or several, whose poses are averaged (the paper's fusion).
        data: An `.npz` of faces.
        max_angle_deg: Leave out faces with a larger angle, as the paper does; 0 keeps all.
        output_dir: Receives `report.json`, `faces.csv` (a line per face) and figures; None: nothing is
            written.
        mirror: Average with the predictions for mirrored crops.
        trust: Load networks that could do more than compute (see `load_network`).

    Returns:
        The errors and the poses.

    Raises:
        InputError: If a network or the dataset cannot be used, or no face is left.

    Example:
        >>> report = fsanet_tf.evaluate(["1x1", "var"], "faces.npz", output_dir="report")
        >>> sorted(report.errors_deg)[-1]
        'all'
    """
    sources = tuple(map(str, [networks] if isinstance(networks, str | Path) else networks))
    dataset = load_dataset(data)
    rows = dataset.rows_within(max_angle_deg)
    if not len(rows):
        raise InputError(f"{data}: no face has all angles within ±{max_angle_deg:g}°")
    loaded = [load_network(source, trust=trust) for source in sources]
    true = dataset.poses[rows]
    predicted = predict_poses(loaded, dataset.images[rows], mirror)
    report = EvaluationReport(
        networks=sources,
        data=str(data),
        max_angle_deg=max_angle_deg,
        images_left_out=len(dataset) - len(rows),
        errors_deg={"all": measure(predicted, true), **measure_by_yaw(predicted, true)},
        predicted_deg=predicted,
        true_deg=true,
        mirror=mirror,
        notes=tuple(
            f"{data} contains {dataset.crop}; {network.name} expects {network.crop}"
            for network in loaded
            if dataset.crop not in (None, network.crop)
        ),
    )
    if output_dir is not None:
        _write(report, dataset, rows, Path(output_dir))
    return report


def _write(report: EvaluationReport, dataset: FaceDataset, rows: np.ndarray, output_dir: Path) -> None:
    from fsanet_tf.evaluation.figures import draw_report

    draw_report(dataset, rows, report.predicted_deg, output_dir)
    with replace_when_done(output_dir / "faces.csv") as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        kinds = ("true", "predicted")
        writer.writerow(
            ("row", "name", *(f"{angle}_{kind}" for kind in kinds for angle in ANGLE_NAMES), "geodesic_error")
        )
        errors = geodesic_errors(report.predicted_deg, report.true_deg)
        for face in zip(
            rows, dataset.names[rows], report.true_deg, report.predicted_deg, errors, strict=True
        ):
            row, name, true, predicted, error = face
            writer.writerow((row, name, *(f"{angle:.4f}" for angle in (*true, *predicted, error))))
    write_json(output_dir / "report.json", report.as_json())
