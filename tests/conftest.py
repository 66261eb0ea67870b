"""What several tests share: the reference material, small data, and running the commands."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import hypothesis
import keras
import numpy as np
import pytest
from filelock import FileLock

from fsanet_tf.commands.main import main
from fsanet_tf.data.dataset import FaceDataset, save_dataset
from fsanet_tf.data.preprocessing.crops import preprocess
from fsanet_tf.data.preprocessing.face_table import SHIPPED_CROP
from fsanet_tf.data.preprocessing.landmark_pairs import LandmarkPairsConfig
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.models.config import BACKBONES
from fsanet_tf.registry import TABLES, import_thing

ROOT = Path(__file__).parent.parent
# No time limit on a busy machine; the same examples each run: HYPOTHESIS_PROFILE=search looks for others.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, max_examples=5000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


class Result(NamedTuple):
    """What a command left: its exit status and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference material: `FSANET_REFERENCE`, by default `../shared`."""
    path = Path(os.environ.get("FSANET_REFERENCE", ROOT.parent / "shared"))
    if not path.is_dir():
        pytest.skip(f"no reference material at {path} (set FSANET_REFERENCE)")
    return path.resolve()


@pytest.fixture(scope="session")
def released(reference) -> Path:
    return reference / "weights/300W_LP_models"


@pytest.fixture(scope="session")
def aflw2000(reference, tmp_path_factory) -> Path:
    """AFLW2000 through our preprocessing, made once for all workers."""
    folder = tmp_path_factory.getbasetemp()
    output = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "aflw2000.npz"
    with FileLock(f"{output}.lock"):
        if not output.exists():
            preprocess(LandmarkPairsConfig(reference / "data/AFLW2000", output))
    return output


@pytest.fixture(scope="session")
def first64(reference) -> Path:
    """The first faces of AFLW2000 as the original cropped them."""
    return reference / "golden/aflw2000_crops_first64.npz"


@pytest.fixture(scope="module")
def tiny() -> Iterator[None]:
    """Register the backbone `tiny`."""
    from tests.small_networks import TINY

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES._entries, "tiny", TINY)
        yield


@pytest.fixture
def own_tables(monkeypatch) -> None:
    """Make what a test registers end with it."""
    for table in map(import_thing, TABLES.values()):
        monkeypatch.setattr(table, "_entries", dict(table._entries))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def write_noise_faces(path: Path, count: int, crop: CropRule = SHIPPED_CROP) -> None:
    """A data set of 64-pixel noise with poses within ±60°, by default cropped as shipped networks expect."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 64, 64, 3), np.uint8)
    poses = rng.uniform(-60, 60, (count, 3)).astype(np.float32)
    names = np.array([f"face{i}" for i in range(count)])
    save_dataset(path, FaceDataset.from_arrays(images, poses, names, crop))


def run_fsanet(*arguments: str | Path, cwd: Path | None = None) -> Result:
    """Run `fsanet ARGUMENTS` in this process, in a folder."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd or Path.cwd()),
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        status = main([str(argument) for argument in arguments])
    return Result(status, stdout.getvalue(), stderr.getvalue())


def run_process(*arguments: str, cwd: Path = ROOT, **environment: str) -> Result:
    """Run `python ARGUMENTS` as a user would."""
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=600,
        check=False,
    )
    return Result(result.returncode, result.stdout, result.stderr)


def assert_one_clear_line(result: Result, *expected: str) -> None:
    """The command failed, said so in one line that contains every expected text, and nothing else."""
    assert result.returncode != 0
    lines = [line for line in result.stderr.splitlines() if "%|" not in line and line.strip()]
    assert "Traceback" not in result.stderr, result.stderr
    assert len(lines) == 1, result.stderr
    for text in expected:
        assert text in lines[0], lines[0]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Equal initial weights in each run: of a few hundred untrained networks one answers noise with NaN."""
    keras.utils.set_random_seed(0)


LONG_FILES = ("test_export.py", "test_training.py", "test_models.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, so that no worker is left with one at the end."""
    items.sort(key=lambda item: LONG_FILES.index(item.path.name) if item.path.name in LONG_FILES else 9)
