"""Every benchmark, one after the other: `python -m benchmarks`.

Writes `docs/benchmarks.md`, and its figures as JSON beside it, in half an hour, or twice that on a busy
machine. Each part is a command of its own (`python -m benchmarks.latency --help`); an interrupted run resumes
with the missing parts. `--quick` takes a minute: few rounds of some parts; its page is written to --work_dir.

Not among them, since they print text or make pages of their own: accuracy, efficiency, detector_boxes,
detection, robustness, stability, demo and live.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from absl import flags
from tqdm import tqdm

from benchmarks.harness import Comparison, read_comparisons, run, write_comparisons
from benchmarks.page import machine, write_page
from fsanet_tf.errors import InputError


def parts(reference: Path, quick: bool, mediapipe_python: str | None = None) -> dict[str, list[str]]:
    """Return the arguments of each part, by name; a name may run a module twice."""
    source = f"--reference={reference}"
    if quick:
        return {"latency": [source, "--rounds=20"], "startup": [source, "--rounds=1"]}
    return {
        "latency": [source],
        "latency 2": [source, "--threads=2"],
        "tracking": [source, *([f"--mediapipe_python={mediapipe_python}"] if mediapipe_python else [])],
        "video": [],
        "startup": [source],
        "training": [],
        "preprocessing": [f"--input_dir={reference / 'data/AFLW2000'}"],
        "labeling": [f"--source={reference / 'data/AFLW2000'}"],
    }


def run_part(name: str, arguments: list[str], path: Path) -> list[Comparison]:
    """Run a part in a process of its own, or read what it left."""
    if not path.exists():
        command = [sys.executable, "-m", f"benchmarks.{name.split()[0]}", *arguments, f"--json={path}"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            lines = result.stderr.strip().splitlines() or ["no reason given"]
            raise InputError(f"{name}: {lines[-1]}")
    return read_comparisons(path)


def main() -> None:
    given = flags.FLAGS
    reference, work_dir = Path(given.reference), Path(given.work_dir)
    if not reference.is_dir():
        raise InputError(f"{reference}: no such folder (expected the reference data)")
    done = work_dir / ("quick" if given.quick else "whole")
    planned = parts(reference, given.quick, given.mediapipe_python)
    comparisons = [
        column
        for name, arguments in tqdm(planned.items(), unit="part")
        for column in run_part(name, arguments, done / f"{name}.json")
    ]
    page = Path(given.output or (work_dir / "quick.md" if given.quick else "docs/benchmarks.md"))
    options = [" --quick"] if given.quick else []
    options += [" --mediapipe_python=mp/bin/python"] if given.mediapipe_python else []
    write_page(page, comparisons, "python -m benchmarks" + "".join(options))
    write_comparisons(page.with_suffix(".json"), comparisons, machine=machine())
    shutil.rmtree(done)
    print(f"written: {page}, {page.with_suffix('.json').name}")


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder of the reference data.")
    flags.DEFINE_string("output", None, "Page to write; by default docs/benchmarks.md.")
    flags.DEFINE_string("work_dir", "runs/benchmarks", "Receives the parts of a stopped run.")
    flags.DEFINE_string("mediapipe_python", None, "As of benchmarks.tracking; by default it is left out.")
    flags.DEFINE_bool("quick", False, "A minute instead of half an hour.")
    run(main)
