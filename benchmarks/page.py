"""`docs/benchmarks.md` and its picture, from the figures that were measured."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks.harness import Comparison, as_markdown, tables, write_text
from fsanet_tf.io.files import replace_when_done

matplotlib.use("Agg")

LIBRARIES = ("tensorflow", "keras", "ai-edge-litert", "onnxruntime", "opencv-python", "numpy")
BARS = "Networks"
GROWTH = ("Faces per call, 1x1", "Threads, 1x1", "Faces in a photo: crop and pose")
IN_JSON_ONLY = ("Formats, 1x1", *GROWTH)
PAGE = """# Benchmarks

`{command}` measures all of this and makes this page. {machine}.

The rows of a column were measured in interleaved rounds, in random order, so that background load affects
all of them. A cell contains **how many times better than the baseline** it is, the median, and ± the
interquartile range. Ratios transfer between machines better than times. Formats, and the cost by number of
faces and threads: [benchmarks.json](benchmarks.json); each format of a network at one thread:
[formats](export.md).

![Speed of the networks, and cost per face by number of faces and threads]({picture})
"""


def machine() -> str:
    """Return the day, the processor, and the versions of what is measured."""
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    processor = (models or [platform.processor()])[0]
    versions = [f"{library} {importlib.metadata.version(library)}" for library in LIBRARIES]
    return ", ".join([str(date.today()), f"{os.cpu_count()} cores of {processor}", *versions])


def write_page(path: Path, comparisons: Sequence[Comparison], command: str) -> None:
    """Write the page, and a figure of the same name next to it."""
    picture = path.with_suffix(".png")
    draw(comparisons, picture)
    sections = [PAGE.format(command=command, machine=machine(), picture=picture.name)]
    for title, columns in tables(comparisons).items():
        if title in IN_JSON_ONLY:
            continue
        (baseline,) = {column.baseline for column in columns}
        sections.append(f"## {title}\n\nBaseline: {baseline}.\n\n{as_markdown(columns)}\n")
    write_text(path, sections)


def draw(comparisons: Sequence[Comparison], path: Path) -> None:
    """Draw how many times faster each network is, and the cost per face by number of faces and threads."""
    by_title = tables(comparisons)
    figure = Figure(figsize=(15, 9), layout="constrained")
    rows = figure.add_gridspec(2, 1)
    above, below = figure.add_subfigure(rows[0]), figure.add_subfigure(rows[1])
    columns = by_title[BARS]
    names = sorted(columns[0].rows, key=columns[0].times_better)
    panels = above.subplots(1, len(columns), sharey=True, squeeze=False)[0]
    for axes, column in zip(panels, columns, strict=True):
        bars = axes.barh(
            [name.replace("`", "") for name in names], [column.times_better(name) for name in names]
        )
        axes.bar_label(bars, fmt="%.2g", padding=2)
        axes.set_title(column.column)
        axes.margins(x=0.15)
    above.suptitle(f"{BARS}: times faster than the {columns[0].baseline}")
    for axes, title in zip(below.subplots(1, len(GROWTH), squeeze=False)[0], GROWTH, strict=True):
        for column in by_title[title]:
            counts = [int(name.split()[0]) for name in column.rows]
            axes.loglog(counts, [row.median for row in column.rows.values()], marker="o", label=column.column)
        axes.set(title=title, xlabel=" ".join(list(column.rows)[-1].split()[1:]), ylabel=column.unit)
        axes.set_xticks(counts, counts)
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.grid(alpha=0.3)
        axes.set_ylim(top=3 * axes.get_ylim()[1])  # room for the legend
        axes.legend(loc="upper right")
    with replace_when_done(path) as temporary:
        figure.savefig(temporary, dpi=100)
