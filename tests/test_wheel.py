"""The wheel, installed without the source tree, does its main jobs."""

import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    source = folder / "source"  # a build leaves its own files in the tree
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".git", ".venv*", "build", "*.egg-info", "runs")
    )
    build = [*pip, "wheel", "--no-deps", f"--wheel-dir={folder / 'dist'}", str(source)]
    result = subprocess.run(build, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (wheel,) = (folder / "dist").glob("*.whl")
    install = [*pip, "install", "--no-deps", f"--target={folder / 'site'}", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    return folder / "site"


def run_installed(site, *arguments, cwd):
    """Run a module of the wheel, with nothing of the checkout in reach."""
    code = (
        "import sys, runpy; sys.path.insert(0, sys.argv.pop(1)); name = sys.argv.pop(1); "
        "import fsanet_tf; assert fsanet_tf.__file__.startswith(sys.path[0]); "
        "runpy.run_module(name, run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-c", code, str(site), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_demo_runs_from_the_wheel(installed, tmp_path):
    result = run_installed(installed, "fsanet_tf", "astronaut", "--detector=haar", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "astronaut: yaw" in result.stdout and (tmp_path / "astronaut_poses.png").exists()


@pytest.mark.parametrize("command", ["train", "evaluate", "export"])
def test_commands_are_in_the_wheel(installed, tmp_path, command):
    result = run_installed(installed, command, "--help", cwd=tmp_path)
    assert result.returncode in (0, 1) and "--output_dir" in result.stdout, result.stderr
