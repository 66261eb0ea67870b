"""Checks of faces and their labels, wherever they come from: arrays, files, preprocessing."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fsanet_tf.data.npz_file import EXPECTED, require_images
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import SAMPLINGS

MAX_BEYOND_QUARTER_TURN = 0.2  # share of a data set's angles, if they are radians
MAX_MEDIAN_DEG = 120.0  # of a data set's angles; degrees that were converted as radians have larger ones
DEGREES = "degrees"  # of the entry `unit`, which says so of angles that could be radians
KINDS = {"numbers": "iuf", "texts": "USiuf", "true or false": "b"}  # of NumPy's types


def checked_arrays(name: str | Path, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Check arrays that are named as in a dataset's file; every dataset passes here.

    Args:
        name: Where the arrays come from, for messages.
        arrays: `image`, `pose` and further labels; one that is absent or None gets a neutral value.

    Returns:
        The attributes of a `FaceDataset`.

    Raises:
        InputError: If an array is missing or has another type or shape, a weight or margin is negative, all
            weights are 0, or the poses cannot be true (see `check_poses`).
    """
    given = {key: value for key, value in arrays.items() if value is not None}
    if missing := {"image", "pose"} - given.keys():
        raise InputError(f"{name}: expected {EXPECTED}, {' and '.join(sorted(missing))} missing")
    images = given["image"]
    require_images(name, getattr(images, "dtype", type(images).__name__), getattr(images, "shape", ()))
    count = len(images)
    label = functools.partial(_label, name, given)
    with np.errstate(over="ignore"):
        poses = label("pose", "numbers", [(count, 3)]).astype(np.float32)
    for key, choices in (("unit", ("", DEGREES)), ("sampling", SAMPLINGS)):
        if (value := str(given.setdefault(key, choices[0]))) not in choices:
            raise InputError(f"{name}: {key} must be {' or '.join(filter(None, choices))}, received {value}")
    are_degrees = str(given["unit"]) == DEGREES
    check_poses(name, poses, are_degrees)
    weights = _amounts(name, "weight", label("weight", "numbers", [(count,), ()], 1.0))
    if not weights.any():
        raise InputError(f"{name}: all weights are 0, so that no face would count")
    margins = label("margin_ratio", "numbers", [(count,), ()], math.nan)
    return {
        "images": images,
        "poses": poses,
        "names": _texts(label("name", "texts", [(count,)], np.full(count, ""))),
        "weights": np.full(count, weights),
        "groups": _texts(label("group", "texts", [(count,)], np.full(count, ""))),
        "margin_ratios": np.full(count, _amounts(name, "margin_ratio", margins, unknown=True)),
        "square": bool(label("square", "true or false", [()], False)),
        "sampling": str(given["sampling"]),
        "labeled_by": str(given.get("labeled_by", "")),
        "are_degrees": are_degrees,
    }


def _label(
    name: str | Path,
    given: Mapping[str, Any],
    key: str,
    kind: str,
    shapes: Sequence[tuple[int, ...]],
    default: Any = None,
) -> np.ndarray:
    """Return an array of one of the shapes, whose entries are of a kind."""
    try:
        values = np.asarray(given.get(key, default))
    except ValueError:  # of lists of different lengths
        values = np.array(None)
    if kind == "texts" and values.dtype.kind == "O" and all(isinstance(text, str) for text in values.flat):
        values = values.astype(str)  # as columns of other libraries have them
    if values.shape not in shapes or values.dtype.kind not in KINDS[kind]:
        expected = f"{kind} {shapes[0]}" if shapes[0] else kind
        raise InputError(f"{name}: {key} must be {expected}, received {values.dtype} {values.shape}")
    return values


def _amounts(name: str | Path, key: str, values: np.ndarray, unknown: bool = False) -> np.ndarray:
    """Return numbers of 0 or more, finite (or NaN, if `unknown` is allowed), as float32."""
    values = values.astype(np.float32)
    wrong = values[~(((values >= 0) & np.isfinite(values)) | (unknown & np.isnan(values)))]
    if wrong.size:
        raise InputError(f"{name}: {key} must be 0 or more and finite, received {wrong.flat[0]}")
    return values


def _texts(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8", "backslashreplace")
    return values.astype(str)


def check_poses(name: str | Path, poses: np.ndarray, are_degrees: bool = False) -> None:
    """Refuse poses that cannot be head poses in degrees.

    Single angles beyond ±180° are allowed, as AFLW2000 contains them: `rows_within` leaves such faces out.
    Angles within ±π that are not whole numbers may be radians: of heads in radians few angles exceed a
    quarter turn, π/2, of heads in degrees that all look ahead about half do. These are accepted with a
    warning.

    Args:
        name: Where the poses come from, for the message.
        poses: `(N, 3)`: yaw, pitch, roll in degrees.
        are_degrees: Whether it is known that they are no radians.

    Raises:
        InputError: If a pose is not finite, the angles appear to be radians, or most exceed ±120°.

    Example:
        >>> check_poses("faces.npz", np.array([[30.0, -10.0, 5.0]]))
    """
    finite = np.isfinite(poses).all(axis=1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise InputError(f"{name}: pose {row} is not finite: {poses[row].tolist()}")
    sizes = np.abs(poses)
    if sizes.size and sizes.max() <= math.pi + 1e-3 and (poses != np.round(poses)).any() and not are_degrees:
        if (sizes > math.pi / 2).mean() <= MAX_BEYOND_QUARTER_TURN:
            raise InputError(
                f"{name}: expected degrees, received angles within ±{sizes.max():.2f}; are these radians? "
                "(if all look ahead, degrees of a table's preprocessing, are_degrees of from_arrays or an "
                "entry unit='degrees' says so)"
            )
        warnings.warn(f"{name}: all angles are within ±{sizes.max():.2f}, taken as degrees", stacklevel=2)
    if sizes.size and np.median(sizes) > MAX_MEDIAN_DEG:
        raise InputError(
            f"{name}: expected head poses in degrees, received angles that mostly exceed ±{MAX_MEDIAN_DEG:g} "
            f"(median {np.median(sizes):.0f}); were degrees converted as radians?"
        )
