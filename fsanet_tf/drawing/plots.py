"""Plots: the training curve, the errors of an evaluation, the angles of a video."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fsanet_tf.errors import optional_dependencies
from fsanet_tf.geometry.pose import ANGLE_NAMES
from fsanet_tf.io.files import replace_when_done

with optional_dependencies():
    from matplotlib.axis import Axis
    from matplotlib.backend_bases import FigureCanvasBase
    from matplotlib.figure import Figure  # draws without a display, and without pyplot's global state
    from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullLocator

FORMATS = tuple(f".{name}" for name in FigureCanvasBase.filetypes)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure atomically."""
    with replace_when_done(path) as temporary:
        figure.savefig(temporary, dpi=120)


def draw_training_curve(rows: Sequence[dict[str, float]], path: str | Path) -> None:
    """Draw loss and validation error against the epoch, on a logarithmic scale.

    Args:
        rows: One per epoch, with `epoch`, `loss`, `val_loss` and `val_mae`.
        path: The image file to write.
    """
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    epochs = [row["epoch"] for row in rows]
    for key, label in (
        ("loss", "training loss"),
        ("val_loss", "validation loss"),
        ("val_mae", "validation MAE"),
    ):
        line, marker = ":" if key == "val_mae" else "-", "." if len(rows) < 20 else ""
        axes.plot(epochs, [row[key] for row in rows], label=label, linestyle=line, marker=marker)
    # on a logarithmic scale, the end of a long run and fine-tuning stay legible
    axes.set(xlabel="epoch", ylabel="degrees", yscale="log", xlim=(epochs[0] - 0.5, epochs[-1] + 0.5))
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True, min_n_ticks=1))
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high > 4 * low else MaxNLocator(8))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper right", ncols=3)
    save_figure(figure, path)


def draw_cumulative_error(angle_errors_deg: np.ndarray, geodesic_deg: np.ndarray, path: str | Path) -> None:
    """Draw the cumulative distribution of the errors of yaw, pitch, roll, and of the geodesic error.

    Args:
        angle_errors_deg: `(N, 3)`: absolute errors of yaw, pitch, roll.
        geodesic_deg: `(N,)`: geodesic errors.
        path: The image file to write.
    """
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    share = np.arange(1, len(geodesic_deg) + 1) / len(geodesic_deg)
    for name, errors in zip((*ANGLE_NAMES, "geodesic"), (*angle_errors_deg.T, geodesic_deg), strict=True):
        axes.plot(np.sort(errors), share, label=name)
    axes.set(xlabel="error (degrees)", ylabel="share of faces", ylim=(0, 1))
    _degree_scale(axes.set_xscale, axes.set_xlim, axes.xaxis)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    save_figure(figure, path)


def draw_error_against_yaw(
    angle_errors_deg: np.ndarray, geodesic_deg: np.ndarray, yaw_deg: np.ndarray, path: str | Path
) -> None:
    """Draw the geodesic error of each face against its true yaw, and the mean of each angle's per 15°.

    Args:
        angle_errors_deg: `(N, 3)`: absolute errors of yaw, pitch, roll.
        geodesic_deg: `(N,)`: geodesic errors.
        yaw_deg: `(N,)`: true yaw.
        path: The image file to write.
    """
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.scatter(yaw_deg, geodesic_deg, s=4, alpha=0.25, color="gray", label="geodesic, one face")
    edges = np.arange(-180, 181, 15)
    bins = np.digitize(yaw_deg, edges)
    filled = [b for b in range(1, len(edges)) if (bins == b).any()]
    for column, name in enumerate(ANGLE_NAMES):
        means = [angle_errors_deg[bins == b, column].mean() for b in filled]
        axes.plot(
            [edges[b - 1] + 7.5 for b in filled], means, marker="o", markersize=3, label=f"{name}, mean"
        )
    axes.set(xlabel="true yaw (degrees)", ylabel="error (degrees)")
    _degree_scale(axes.set_yscale, axes.set_ylim, axes.yaxis)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper right", ncols=4)
    save_figure(figure, path)


def _degree_scale(set_scale: Callable[..., None], set_limits: Callable[..., Any], axis: Axis) -> None:
    """Scale an axis of errors so that it shows all: linear up to 10°, logarithmic beyond."""
    set_scale("symlog", linthresh=10, linscale=2)
    axis.set_major_locator(FixedLocator([0, 2, 4, 6, 8, 10, 20, 40, 80, 160]))
    axis.set_major_formatter("{x:g}")
    axis.axes.margins(x=0.02)
    set_limits(0, None)


def draw_angles_over_time(sequences: dict[str, tuple[np.ndarray, np.ndarray]], path: str | Path) -> None:
    """Draw yaw, pitch and roll against time, one panel per person.

    Args:
        sequences: By name of the person: times `(T,)` in seconds and poses `(T, 3)` in degrees.
        path: The image file to write.
    """
    figure = Figure(figsize=(8, 2.6 * len(sequences) + 0.6), layout="constrained")
    panels = figure.subplots(len(sequences), sharex=True, squeeze=False)[:, 0]
    for axes, (name, (times_s, poses_deg)) in zip(panels, sequences.items(), strict=True):
        for column, angle in enumerate(ANGLE_NAMES):
            axes.plot(times_s, poses_deg[:, column], label=angle)
        axes.axhline(0, color="gray", linewidth=0.5)
        axes.set(title=name, ylabel="degrees")
        axes.grid(alpha=0.3)
    panels[-1].set(xlabel="time (s)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    save_figure(figure, path)
