"""The wheel, installed without the source tree, does its main jobs."""

import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT, write_noise_faces

# Runs a module with the folder of the first argument before everything else, and nothing of the checkout.
FROM_FOLDER = (
    "import sys, runpy; sys.path.insert(0, sys.argv.pop(1)); name = sys.argv.pop(1); "
    "import fsanet_tf; assert fsanet_tf.__file__.startswith(sys.path[0]); "
    "runpy.run_module(name, run_name='__main__', alter_sys=True)"
)
# By module: its arguments, what it says, and what it writes.
COMMANDS = {
    "fsanet_tf": ("astronaut --detector=haar", "astronaut: yaw", "astronaut_poses.png"),
    "evaluate": ("--weights=1x1 --data=faces.npz --output_dir=report", "MAE", "report/report.json"),
    "export": (
        "--weights=1x1 --format=tflite_float32 --latency_rounds=0 --output_dir=out",
        "float32",
        "out/parity.json",
    ),
    "train": ("--data=faces.npz --output_dir=run --epochs=1 --batch_size=8", "trained", "run/final.keras"),
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a build leaves its own files in the tree
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".git", ".venv*", "build", "*.egg-info", "runs")
    )
    pip("wheel", "--no-deps", f"--wheel-dir={folder / 'dist'}", str(source))
    (path,) = (folder / "dist").glob("*.whl")
    return path


def pip(*arguments, python=sys.executable):
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.fixture
def workplace(tmp_path):
    write_noise_faces(tmp_path / "faces.npz", 24)
    return tmp_path


def assert_runs(python, module, workplace):
    arguments, said, written = COMMANDS[module]
    command = [*python, module, *arguments.split()]
    result = subprocess.run(command, cwd=workplace, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert said in result.stdout and (workplace / written).stat().st_size > 0


@pytest.mark.parametrize("module", ["fsanet_tf", "evaluate", "export"])
def test_command_runs_from_the_wheel(module, wheel, workplace):
    site = wheel.parent / "site"
    if not site.exists():
        pip("install", "--no-deps", f"--target={site}", str(wheel))
    assert_runs([sys.executable, "-c", FROM_FOLDER, str(site)], module, workplace)


@pytest.mark.slow
def test_every_command_runs_in_an_empty_environment(wheel, workplace):
    venv = wheel.parent / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = str(venv / "bin/python")
    pip("install", str(wheel), python=python)
    for module in COMMANDS:
        assert_runs([python, "-m"], module, workplace)
