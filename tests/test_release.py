"""What `python -m build` makes is complete and does the package's main jobs in environments of its own."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

import fsanet_tf
from tests.conftest import ROOT, write_noise_faces

pytestmark = pytest.mark.slow
# By command: its arguments, what it says, and what it writes.
COMMANDS = {
    "predict": ("astronaut --detector=haar", "astronaut: yaw", "astronaut_poses.png"),
    "evaluate": ("--network=1x1 --data=faces.npz", "MAE", "faces.npz"),
    "train": ("--data=faces.npz --output_dir=run --epochs=1 --batch_size=8", "trained", "run/final.keras"),
    "export": (
        "--network=1x1 --formats=tflite_float32 --output_dir=out",
        "float32",
        "out/parity.json",
    ),
}
# No path to a checkout, which an environment of a release must not need.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


class Release(NamedTuple):
    """The two files of a release."""

    wheel: Path
    sdist: Path


def run(*command, cwd=None):
    result = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def make_environment(folder: Path, *requirements) -> Path:
    """Return the Python of a new environment with the requirements."""
    run(sys.executable, "-m", "venv", folder)
    python = folder / "bin/python"
    run(python, "-m", "pip", "--disable-pip-version-check", "install", *requirements)
    return python


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("release")
    source = folder / "source"  # a build leaves its own files in the tree
    unwanted = shutil.ignore_patterns(".*", "build", "*.egg-info", "runs", "__pycache__")
    shutil.copytree(ROOT, source, ignore=unwanted)
    run(
        sys.executable, "-m", "build", "--outdir", folder / "dist", source
    )  # the wheel is built from the sdist
    (wheel,), (sdist,) = ((folder / "dist").glob(f"*.{kind}") for kind in ("whl", "tar.gz"))
    return Release(wheel, sdist)


@pytest.fixture(scope="module")
def sdist_python(release):
    """An environment with the sdist, which finds its dependencies where this process does."""
    folder = release.sdist.parent / "sdist"
    python = make_environment(folder, "--no-deps", release.sdist)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")))
    return python


@pytest.fixture
def workplace(tmp_path):
    """A user's folder, whose own modules have the names of our scripts."""
    write_noise_faces(tmp_path / "faces.npz", 24)
    for name in ("demo", "evaluate", "train", "export", "preprocessing"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the user's own module')")
    return tmp_path


def assert_runs(fsanet, command, workplace):
    arguments, said, written = COMMANDS[command]
    assert said in run(*fsanet, command, *arguments.split(), cwd=workplace)
    assert (workplace / written).stat().st_size > 0


def test_the_metadata_are_valid_and_name_the_version_of_the_changelog(release):
    run(sys.executable, "-m", "twine", "check", "--strict", *release)
    assert release.wheel.name == f"fsanet_tf-{fsanet_tf.__version__}-py3-none-any.whl"
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    citation = re.search(r"^version: (\S+)", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert newest[1] == citation[1] == fsanet_tf.__version__


def test_wheel_and_sdist_contain_the_package_and_nothing_else(release):
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "fsanet_tf").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert release.wheel.stat().st_size < 12e6
    with zipfile.ZipFile(release.wheel) as archive:
        names = archive.namelist()
    info = f"fsanet_tf-{fsanet_tf.__version__}.dist-info"
    assert {name for name in names if not name.startswith(f"{info}/")} == package
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(names)
    with tarfile.open(release.sdist) as archive:
        names = [file.name.partition("/")[2] for file in archive.getmembers() if file.isfile()]
    assert package | {"pyproject.toml", "README.md"} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "docs/"))]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_runs_from_the_sdist_next_to_the_users_own_modules(command, sdist_python, workplace):
    assert_runs([sdist_python.parent / "fsanet"], command, workplace)
    code = "import fsanet_tf; print(fsanet_tf.__file__)"
    assert run(sdist_python, "-c", code, cwd=workplace).startswith(str(sdist_python.parents[1]))


def test_the_wheel_alone_predicts_without_tensorflow_below_500_mb(release, workplace):
    venv = release.wheel.parent / "wheel"
    python = make_environment(venv, release.wheel)
    for fsanet in ([venv / "bin/fsanet"], [python, "-m", "fsanet_tf"]):
        for command in ("predict", "evaluate"):
            assert_runs(fsanet, command, workplace)
    size = sum(path.stat().st_size for path in venv.rglob("*") if path.is_file() and not path.is_symlink())
    assert size < 500e6
    assert not list(venv.rglob("tensorflow")) and not list(venv.rglob("keras"))
    missing = subprocess.run(
        [python, "-m", "fsanet_tf", "train", "--data=faces.npz", "--output_dir=run"],
        cwd=workplace, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert missing.returncode == 1 and "pip install 'fsanet_tf[train]'" in missing.stderr
    assert len(missing.stderr.splitlines()) == 1, missing.stderr
