"""Every benchmark, one after the other: `python -m benchmarks --output_dir=runs/benchmarks`.

Each is a command of its own; this runs them, keeps what they print in `benchmarks.md` (the source of
`docs/benchmarks.md`), and inference's figures in `inference.json` and `inference.png`. `--quick` takes a
minute: few rounds, nothing exported.
"""

import json
import subprocess
import sys
from pathlib import Path

from absl import flags
from tqdm import tqdm

from benchmarks.inference import ORIGINAL
from fsanet_tf.command_line import run
from fsanet_tf.errors import InputError
from fsanet_tf.files import replace_when_done
from fsanet_tf.plots import draw_ratios


def commands(reference: Path, output_dir: Path, quick: bool) -> dict[str, list[str]]:
    """The command of each part, by its title."""
    faces, json_path = f"{output_dir}/aflw2000.npz", f"--json={output_dir}/inference.json"
    inference = ["-m", "benchmarks.inference", f"--reference={reference}"]
    preprocessing = ["-m", "benchmarks.preprocessing", f"--input_dir={reference}/data/AFLW2000"]
    if quick:
        return {
            "Inference": [*inference, "--noexport", "--rounds=20", json_path],
            "Start-up": ["-m", "benchmarks.startup", "--rounds=1"],
            "Training": ["-m", "benchmarks.training", "--seconds=0.5"],
        }
    create = ["preprocessing/create_300w_lp.py", f"--input_dir={reference}/data/AFLW2000"]
    return {
        "Faces": [*create, f"--output={faces}"],
        "Inference, one thread": [*inference, f"--representative_data={faces}", json_path],
        "Inference, two threads": [*inference, f"--representative_data={faces}", "--threads=2"],
        "Start-up": ["-m", "benchmarks.startup"],
        "Demo": ["-m", "benchmarks.demo", f"--media_dir={reference}/media"],
        "Memory of the demo": ["-m", "benchmarks.demo_memory", f"--source={reference}/media/yes.mkv"],
        "Preprocessing": preprocessing,
        "Training": ["-m", "benchmarks.training"],
        "Memory of training": ["-m", "benchmarks.memory", f"--work_dir={output_dir}/memory"],
    }


def main() -> None:
    given = flags.FLAGS
    reference, output_dir = Path(given.reference), Path(given.output_dir)
    if not reference.is_dir():
        raise InputError(f"{reference}: no such folder (expected the reference data)")
    output_dir.mkdir(parents=True, exist_ok=True)
    sections = []
    for title, command in tqdm(commands(reference, output_dir, given.quick).items(), unit="part"):
        result = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
        if result.returncode:
            lines = result.stderr.strip().splitlines() or ["no reason given"]
            raise InputError(f"{title}: {lines[-1]}")
        shown = f"$ python {' '.join(command)}\n{result.stdout.rstrip()}"
        sections.append(f"## {title}\n\n```\n{shown}\n```\n")
        print(f"\n{title}\n{result.stdout}", flush=True)
    with replace_when_done(output_dir / "benchmarks.md") as temporary:
        temporary.write_text("\n".join(sections))
    report = json.loads((output_dir / "inference.json").read_text())
    times = {
        variant: {name: row["single_ms"] for name, row in rows.items()}
        for variant, rows in report["variants"].items()
    }
    draw_ratios(times, ORIGINAL, output_dir / "inference.png")


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder of the reference data.")
    flags.DEFINE_string("output_dir", "runs/benchmarks", "Gets benchmarks.md, inference.json, inference.png.")
    flags.DEFINE_bool("quick", False, "A minute instead of half an hour.")
    run(main)
