"""Result of an evaluation."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from fsanet_tf.data.dataset import FaceDataset
from fsanet_tf.errors import InputError
from fsanet_tf.evaluation.config import EvaluationConfig
from fsanet_tf.evaluation.metrics import (
    Difference,
    Errors,
    bootstrap_difference,
    format_table,
    measure,
    measure_by_yaw,
)
from fsanet_tf.geometry.pose import angle_errors, geodesic_errors
from fsanet_tf.networks.pretrained import network_sha256

__all__ = ["EvaluationReport"]

UNCHANGED = ""  # the faces as they are, among corruptions


@dataclasses.dataclass(frozen=True)
class EvaluatedFaces:
    """The evaluated faces of one file.

    Attributes:
        path: The file.
        dataset: Its faces.
        rows: Indices of the evaluated ones, `(N,)`.
        images_left_out: How many have a larger angle.
        notes: Remarks, such as that a network expects another crop than the file contains.
        predictions_deg: Poses that the networks, and those they are compared with, predict: `(N, 3)` each, by
            corruption (`noise 2`; without one `UNCHANGED`).
    """

    path: str
    dataset: FaceDataset
    rows: np.ndarray
    images_left_out: int
    notes: tuple[str, ...]
    predictions_deg: Mapping[str, tuple[np.ndarray, ...]]


@dataclasses.dataclass(frozen=True)
class EvaluationReport:
    """Result of an evaluation; as text, its tables.

    Attributes:
        config: What was evaluated.
        parts: The evaluated faces of each file.

    Example:
        >>> config = fsanet_tf.EvaluationConfig(network="1x1", data="faces.npz", compare_with="var")
        >>> report = fsanet_tf.evaluate(config)
        >>> report.errors_deg["all"].images == len(report.predicted_deg)
        True
        >>> report.difference_deg["geodesic"].low_deg <= report.difference_deg["geodesic"].high_deg
        True
    """

    config: EvaluationConfig
    parts: tuple[EvaluatedFaces, ...]

    @cached_property
    def true_deg(self) -> np.ndarray:
        """True poses, `(N, 3)`: yaw, pitch, roll."""
        return np.concatenate([part.dataset.poses[part.rows] for part in self.parts])

    @cached_property
    def predictions_deg(self) -> tuple[np.ndarray, ...]:
        """Poses by the networks and, if there are such, by those they are compared with: `(N, 3)` each."""
        return self._predictions(UNCHANGED)

    @property
    def predicted_deg(self) -> np.ndarray:
        """Poses that the networks predict, `(N, 3)`."""
        return self.predictions_deg[0]

    @property
    def geodesic_errors_deg(self) -> tuple[np.ndarray, ...]:
        """Geodesic errors of `predictions_deg`, `(N,)` each."""
        return tuple(geodesic_errors(poses, self.true_deg) for poses in self.predictions_deg)

    @property
    def groups(self) -> np.ndarray:
        """Number of each face's group, `(N,)`; those of different files are different."""
        groups: list[np.ndarray] = []
        for part in self.parts:
            numbers = np.unique(part.dataset.group_numbers()[part.rows], return_inverse=True)[1]
            groups.append(numbers + (groups[-1].max() + 1 if groups else 0))
        return np.concatenate(groups)

    @property
    def images_left_out(self) -> int:
        """Number of faces with an angle beyond `max_angle_deg`."""
        return sum(part.images_left_out for part in self.parts)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks, such as that a network expects another crop than the data contain."""
        return tuple(note for part in self.parts for note in part.notes)

    @cached_property
    def errors_deg(self) -> dict[str, Errors]:
        """Errors of all faces (`all`), by range of the true |yaw| (`0-30`), and by file if several.

        Files go by their names without folder and suffix, or by their paths if those are not unique.
        """
        return self._errors(0)

    @cached_property
    def compared_errors_deg(self) -> dict[str, Errors] | None:
        """Errors of the networks that are compared with; None if there are none."""
        return self._errors(1) if len(self.predictions_deg) > 1 else None

    @cached_property
    def corrupted_errors_deg(self) -> tuple[dict[str, Errors], ...]:
        """Errors under each corruption (`noise 2`), of the networks and of those compared with."""
        errors: tuple[dict[str, Errors], ...] = tuple({} for _ in self.predictions_deg)
        for kind in filter(None, self.parts[0].predictions_deg):
            for rows, poses in zip(errors, self._predictions(kind), strict=True):
                rows[kind] = measure(poses, self.true_deg)
        return errors

    @cached_property
    def difference_deg(self) -> dict[str, Difference] | None:
        """Errors of the networks compared with, minus those of the networks: `mae` and `geodesic`."""
        if len(self.predictions_deg) == 1:
            return None
        geodesic = self.geodesic_errors_deg
        mae = [angle_errors(poses, self.true_deg).mean(axis=1) for poses in self.predictions_deg]
        return {
            "mae": bootstrap_difference(mae[0], mae[1], self.groups),
            "geodesic": bootstrap_difference(geodesic[0], geodesic[1], self.groups),
        }

    def _predictions(self, kind: str) -> tuple[np.ndarray, ...]:
        by_file = (part.predictions_deg[kind] for part in self.parts)
        return tuple(map(np.concatenate, zip(*by_file, strict=True)))

    def _errors(self, number: int) -> dict[str, Errors]:
        predicted, true = self.predictions_deg[number], self.true_deg
        errors = {"all": measure(predicted, true), **measure_by_yaw(predicted, true)}
        stems = [Path(part.path).stem for part in self.parts]
        for part, stem in zip(self.parts, stems, strict=True) if len(stems) > 1 else ():
            name = stem if stems.count(stem) == 1 and stem not in errors else part.path
            errors[name] = measure(part.predictions_deg[UNCHANGED][number], part.dataset.poses[part.rows])
        return errors

    def as_json(self) -> dict[str, Any]:
        """Return what `report.json` contains."""
        config, difference = self.config, self.difference_deg
        return {
            "network": _identify(config.network),
            "data": [{"file": part.path, "images": len(part.rows)} for part in self.parts],
            "max_angle_deg": config.max_angle_deg,
            "held_out": config.held_out,
            "mirror": config.mirror,
            "images_left_out": self.images_left_out,
            "notes": list(self.notes),
            "errors_deg": _as_dicts(self.errors_deg),
            "compare_with": _identify(config.compare_with),
            "compared_errors_deg": _as_dicts(self.compared_errors_deg or {}),
            "difference_deg": _as_dicts(difference or {}),
            "corrupted_errors_deg": [_as_dicts(errors) for errors in self.corrupted_errors_deg],
        }

    def __str__(self) -> str:
        config = self.config
        within = f" within ±{config.max_angle_deg:g}°" if config.max_angle_deg else ""
        files = ", ".join(config.data)
        counts = f"{len(self.true_deg)} images{within}, {self.images_left_out} left out"
        lines = [f"{network_names(config.network)} on {files}: {counts}", format_table(self.errors_deg)]
        if self.compared_errors_deg and self.difference_deg:
            lines += [f"{network_names(config.compare_with)}:", format_table(self.compared_errors_deg)]
            lines += [
                f"{network_names(config.compare_with)} compared with {network_names(config.network)}: "
                f"MAE {self.difference_deg['mae']}, geodesic {self.difference_deg['geodesic']}, "
                f"resampled over {self.difference_deg['mae'].groups} groups"
            ]
        networks = (config.network, config.compare_with)
        for names, errors in zip(networks, self.corrupted_errors_deg, strict=False):
            if errors:
                lines += [f"{network_names(names)} on corrupted faces:", format_table(errors, "corruption")]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def network_names(networks: Sequence[Any]) -> str:
    """Return the names of networks, without folders: `1x1 + final.keras`."""
    return " + ".join(Path(_name(network)).name for network in networks)


def _name(network: Any) -> str:
    return str(getattr(network, "name", network)) if not isinstance(network, Path) else str(network)


def _as_dicts(rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: dataclasses.asdict(row) for name, row in rows.items()}


def _identify(networks: Sequence[Any]) -> list[dict[str, Any]]:
    """Return name and hashes of each network; an object of a user's has none."""
    found = []
    for name in map(_name, networks):
        digests: list[str] = []
        with contextlib.suppress(InputError):
            digests = list(network_sha256(name).values())
        found.append({"name": name, "sha256": digests})
    return found
