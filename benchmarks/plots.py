"""Plots of the benchmarks' pages."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from matplotlib.transforms import Bbox

from fsanet_tf.drawing.plots import save_figure

# Where a point's name may be: shift in points, and alignment.
NAME_SIDES = (
    ((7, -3), "left"),
    ((-7, -3), "right"),
    ((6, 5), "left"),
    ((6, -11), "left"),
    ((0, -14), "center"),
    ((-6, -11), "right"),
)


def draw_uncertainty(
    expected_deg: np.ndarray, geodesic_deg: np.ndarray, mae_deg: np.ndarray, path: str | Path
) -> None:
    """Draw the error of the most certain faces, and the measured error against the expected one.

    Args:
        expected_deg: `(N,)`: expected geodesic errors.
        geodesic_deg, mae_deg: `(N,)`: measured geodesic errors, and mean absolute errors of the angles.
        path: The image file to write.
    """
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    risk, calibration = figure.subplots(1, 2)
    order = np.argsort(expected_deg, kind="stable")
    count = np.arange(1, len(order) + 1)
    for errors, label in ((geodesic_deg, "geodesic"), (mae_deg, "MAE")):
        risk.plot(count / len(order), np.cumsum(errors[order]) / count, label=label)
    risk.set(xlabel="share of faces kept, most certain first", ylabel="error (degrees)", xlim=(0, 1))
    risk.set_ylim(0, None)
    bins = np.array_split(order, 10)
    expected, measured = (
        [float(values[rows].mean()) for rows in bins] for values in (expected_deg, geodesic_deg)
    )
    calibration.plot(expected, measured, marker="o", label="a tenth of the faces")
    limit = 1.05 * max(*expected, *measured)
    calibration.plot([0, limit], [0, limit], color="gray", linestyle=":", label="as expected")
    calibration.set(xlabel="expected geodesic error (degrees)", ylabel="measured geodesic error (degrees)")
    for axes in (risk, calibration):
        axes.grid(alpha=0.3)
        axes.legend()
    save_figure(figure, path)


def draw_efficiency(
    measured: dict[str, tuple[float, float, float]], printed: dict[str, tuple[float, float]], path: str | Path
) -> None:
    """Draw networks' errors over their time and over their parameters.

    Args:
        measured: By name: milliseconds per face, millions of parameters, MAE in degrees.
        printed: By name: MAE in degrees and millions of parameters, from the literature.
        path: The image file to write.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    over_time, over_size = figure.subplots(1, 2, sharey=True)
    times = {name: (time, mae) for name, (time, _, mae) in measured.items()}
    sizes = {name: (size, mae) for name, (_, size, mae) in measured.items()}
    printed_sizes = {f"{name} (as reported)": (size, mae) for name, (mae, size) in printed.items()}
    for axes, places, color in (
        (over_time, times, "tab:blue"), (over_size, sizes, "tab:blue"), (over_size, printed_sizes, "none"),
    ):  # fmt: skip
        axes.scatter(*zip(*places.values(), strict=True), facecolors=color, edgecolors="tab:gray", s=25)
    over_time.set(xscale="log", xlabel="milliseconds per face, one thread", ylabel="MAE (degrees)")
    over_size.set(xscale="log", xlabel="parameters (millions)", ylim=(2.8, 6.5))
    for axes in (over_time, over_size):
        _show_logarithmic(axes)
    figure.draw_without_rendering()  # fixes where the points are in pixels
    _write_names(over_time, times)
    _write_names(over_size, sizes | printed_sizes)
    save_figure(figure, path)


def draw_capacity(families: Sequence[dict[str, tuple[float, float]]], path: str | Path) -> None:
    """Draw networks' errors over their time, each family in its color.

    Args:
        families: By network: milliseconds per face, MAE in degrees.
        path: The image file to write.
    """
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes = figure.subplots()
    for places in families:
        times, errors = zip(*places.values(), strict=True)
        axes.scatter(times, errors, s=25)
    axes.set(
        xscale="log", xlabel="milliseconds per face, one thread", ylabel="MAE on held-out faces (degrees)"
    )
    _show_logarithmic(axes)
    figure.draw_without_rendering()  # fixes where the points are in pixels
    _write_names(axes, {name: place for places in families for name, place in places.items()})
    save_figure(figure, path)


def _show_logarithmic(axes: Axes) -> None:
    """Write plain numbers along a logarithmic axis."""
    axes.grid(alpha=0.3, which="both")
    axes.margins(x=0.3)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")


def _write_names(axes: Axes, places: dict[str, tuple[float, float]]) -> None:
    """Write names next to points, each on the first side where it covers no point and no other name."""
    frame = axes.get_window_extent()
    pixels = axes.transData.transform(list(places.values()))
    taken = [Bbox.from_bounds(x - 3, y - 3, 6, 6) for x, y in pixels]
    for name, place in sorted(places.items(), key=lambda item: -item[1][1]):
        for shift, alignment in NAME_SIDES:
            text = axes.annotate(
                name, place, shift, textcoords="offset points", fontsize=7, horizontalalignment=alignment
            )
            box = text.get_window_extent()
            inside = frame.x0 < box.x0 and box.x1 < frame.x1
            if inside and not any(box.overlaps(other) for other in taken):
                break
            text.remove()
        else:
            axes.add_artist(text)
        taken.append(box)


def draw_robustness(
    errors_deg: dict[str, Sequence[Sequence[float]]],
    unchanged_deg: Sequence[float],
    networks: Sequence[str],
    path: str | Path,
) -> None:
    """Draw networks' errors against the strength of corruptions.

    Args:
        errors_deg: By corruption: for each strength, from 1, the MAE of each network in degrees.
        unchanged_deg: The MAE of each network without a corruption.
        networks: Their names.
        path: The image file to write.
    """
    columns = 4
    figure = Figure(figsize=(11, 7), layout="constrained")
    grid = figure.subplots(-(-len(errors_deg) // columns), columns, sharex=True, sharey=True, squeeze=False)
    for axes, (name, errors) in zip(grid.flat, errors_deg.items(), strict=False):
        axes.plot(np.array([unchanged_deg, *errors]), marker=".", label=list(networks))
        axes.set_title(name, fontsize=10)
        axes.set_xticks(range(len(errors) + 1))
        axes.grid(alpha=0.3)
    axes.set_ylim(0, None)  # of all, which share it
    figure.supxlabel("strength")
    figure.supylabel("MAE (degrees)")
    figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(networks))
    save_figure(figure, path)
