"""`docs/benchmarks.md`, from the figures that were measured."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from benchmarks.harness import Comparison, as_markdown, tables, write_text

LIBRARIES = ("tensorflow", "keras", "ai-edge-litert", "onnxruntime", "opencv-python", "numpy")
PAGE = """# Benchmarks

`{command}` measures all of this and makes this page. {machine}.

The rows of a column were measured in interleaved rounds, in random order, so that background load affects
all of them. A cell contains **how many times better than the baseline** it is, the median, and ± the
interquartile range. Ratios transfer between machines better than times. The figures for programs are in
[benchmarks.json](benchmarks.json). Networks of your choice, in any format:
`python -m benchmarks.latency --network=strided,1x1,fusion`.
"""


def processor() -> str:
    """Return the name of the processor."""
    cpu_info = Path("/proc/cpuinfo")
    lines = cpu_info.read_text().splitlines() if cpu_info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    has_vnni = any("avx512_vnni" in line for line in lines if line.startswith("flags"))
    return (models or [platform.processor()])[0] + (" with AVX-512 and VNNI" if has_vnni else "")


def machine() -> str:
    """Return the day, the processor, and the versions of what is measured."""
    versions = [f"{library} {importlib.metadata.version(library)}" for library in LIBRARIES]
    return ", ".join([str(date.today()), f"{os.cpu_count()} cores of {processor()}", *versions])


def write_page(path: Path, comparisons: Sequence[Comparison], command: str) -> None:
    """Write the page: a table per title."""
    sections = [PAGE.format(command=command, machine=machine())]
    for title, columns in tables(comparisons).items():
        (baseline,) = {column.baseline for column in columns}
        sections.append(f"## {title}\n\nBaseline: {baseline}.\n\n{as_markdown(columns)}\n")
    write_text(path, sections)
