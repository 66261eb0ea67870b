"""Every command of the documents runs, in a folder that holds small stand-ins for what it names."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

import fsanet_tf
from fsanet_tf.data.dataset import FaceDataset, save_dataset
from fsanet_tf.data.preprocessing.synthetic import SyntheticConfig, synthesize
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.io.images import read_image
from fsanet_tf.models.build import build_model
from tests.biwi_files import write_hpdb
from tests.conftest import ROOT, write_noise_faces

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("fsanet", "python", "saved_model_cli", "mkdir", "docker", "curl", "pip", "ruff", "uvicorn")

# What is not run here, and where it is.
ELSEWHERE = {
    "python3 -m venv": "an environment: .ci/run makes one",
    "pip install": "an environment: .ci/run makes one",
    "pip download": "asks the registry for every platform",
    "ruff": ".ci/run",
    "python -m pytest": "this is it",
    "python demo/web.py": "serves until it is stopped",
    "docker": "its page says that it was not run: there is no docker",
    "curl": "asks a server: the docker above, or tests/demo/test_service.py",
    "uvicorn": "serves until it is stopped: tests/demo/test_service.py",
    "fsanet train --quick": "tests/training/test_training.py",
    "fsanet export --network=strided --formats=web": "with npm and Chromium: tests/export/test_web_page.py",
    "python -m benchmarks.live": "measures Chromium; its parts in tests/export/test_web_page.py",
    "python -m tests.golden.make": "tests/golden/test_golden.py compares what it made",
    "python -m benchmarks.capacity": "compares finished runs: tests/benchmarks/test_capacity.py",
    "python -m benchmarks.robustness": "a quarter of an hour; parts in tests/evaluation/test_corruptions.py",
    "python -m benchmarks.detection": "a quarter of an hour; parts in tests/benchmarks/test_detection.py",
    "python recipes/on_gpu.py": "needs jax: tests/test_on_gpu.py",
    "python recipes/ship.py": "writes the shipped networks: tests/golden/test_golden.py compares them",
    "python recipes/diagnosis.py": "tests/test_recipes.py",
    "python -m benchmarks": "with --quick, tests/benchmarks/test_harness.py",
}
# Names of commands in running text.
NAMES = re.compile(r"fsanet( COMMAND --help|( [a-z0-9_]+){0,2})$")
# What makes a long job short; the rest of the command stays.
SHORTER = {
    "fsanet train": ["--epochs=1", "--batch_size=4", "--warmup_epochs=0"],
    "fsanet export": ["--max_mae_increase=90"],
    "fsanet synthesize": ["--count=4"],
    "python -m benchmarks.demo": ["--frames=2"],
    "python -m benchmarks.video": ["--frames=4", "--rounds=1"],
}
# Pages whose Python runs as written, each block alone; that of others is tested where its subject is.
PAGES_WITH_PYTHON = (
    *(f"api_{name}.md" for name in ("networks", "prediction", "training")),
    *("demo.md", "migrating.md", "photo.md", "video.md"),
)
NUM_FACES = 24  # in each stand-in


def commands(document: Path) -> list[str]:
    """The shell commands of a document: lines of its bash blocks, and what stands in backticks."""
    text = document.read_text()
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    quoted = re.findall(rf"`((?:{'|'.join(PROGRAMS)}) [^`]*)`", prose)
    quoted = [line for line in quoted if not NAMES.match(line)]
    cleaned = (" ".join(line.split("  #")[0].split()) for line in [*lines, *quoted])
    return [line for line in cleaned if line.startswith(PROGRAMS)]


def is_named(command: str, names: Iterable[str]) -> bool:
    """Whether the command begins with one of the names, whole."""
    return any(f"{command} ".startswith(f"{name} ") for name in names)


ALL = dict.fromkeys(command for document in DOCUMENTS for command in commands(document))
HERE = [command for command in ALL if not is_named(command, ELSEWHERE)]


def write_video(path: Path, image: np.ndarray) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, image.shape[1::-1])
    for shift in range(12):
        writer.write(np.roll(image, shift, axis=1))
    writer.release()


@pytest.fixture(scope="module")
def folder(reference, tmp_path_factory) -> Path:
    """A checkout's folder with the data that the documents name beside it."""
    root = tmp_path_factory.mktemp("documents")
    work, shared = root / "work", root / "shared"
    (work / "docs").mkdir(parents=True)
    for name in (
        "train.py",
        "evaluate.py",
        "export.py",
        "fsanet_tf",
        "preprocessing",
        "demo",
        "benchmarks",
        "docs/draw_signs.py",
        "docs/make_options.py",
        "recipes",
    ):
        (work / name).symlink_to(ROOT / name)
    (shared / "data/AFLW2000").mkdir(parents=True)
    for name in ("weights", "peers"):
        (shared / name).symlink_to(reference / name)
    for picture in sorted((reference / "data/AFLW2000").glob("*.jpg"))[:NUM_FACES]:
        for path in (picture, picture.with_suffix(".mat")):
            (shared / "data/AFLW2000" / path.name).symlink_to(path)
    (shared / "data/aflw2000_twins.txt").symlink_to(reference / "data/aflw2000_twins.txt")
    (work / "AFLW2000").symlink_to(shared / "data/AFLW2000")
    for weights in (reference / "weights/300W_LP_models").glob("*.h5"):
        (work / weights.name).symlink_to(weights)

    photo = read_image("astronaut")[:256, 96:352]
    (shared / "media").mkdir()
    for path in (work / "photo.jpg", shared / "media/photo.jpg"):
        cv2.imwrite(str(path), photo)
    for path in (work / "talk.mp4", shared / "media/talk.mp4"):
        write_video(path, photo)
    synthesize(SyntheticConfig(work / "300W_LP/AFW", NUM_FACES))
    write_hpdb(work / "hpdb")
    (work / "faces.csv").write_text(
        "file,left,top,right,bottom,yaw,pitch,roll\n" + "photo.jpg,90,60,160,150,5,0,0\n" * NUM_FACES
    )
    (work / "AFLW_crops").mkdir()
    cv2.imwrite(str(work / "AFLW_crops/a.jpg"), photo)
    (work / "AFLW_crops_labels.csv").write_text(
        "name,yaw_teacher,pitch_teacher,roll_teacher,teacher_mirror_disagreement_deg\na.jpg,1,2,3,1\n"
    )
    rule = CropRule(0.6, square=True, sampling="filtered")
    crops = FaceDataset.from_arrays(
        np.zeros((NUM_FACES, 96, 96, 3), np.uint8), np.zeros((NUM_FACES, 3)), crop=rule
    )
    for name in ("aflw", "mask", "web"):
        save_dataset(work / f"{name}.npz", crops)
    rules = {CropRule(0.22, square=True): ("faces", "tight"), CropRule(0.4): ("biwi_train", "biwi_test")}
    rules[CropRule(0.6)] = ("AFW", "AFW_Flip", "HELEN", "aflw2000")
    for rule, names in rules.items():
        for name in names:
            write_noise_faces(work / f"{name}.npz", NUM_FACES, rule)
    for name in ("net", "var"):
        build_model("fsanet_var_capsule").save(work / f"{name}.keras")
    strided = build_model("fsanet_1x1_capsule_strided", localize=True, uncertainty=True)
    strided.save(work / "strided.keras")
    (work / "runs/noS_2").mkdir(parents=True)
    build_model("fsanet_noS_capsule").save(work / "runs/noS_2/final.keras")
    return work


def test_every_public_name_is_in_the_reference_once():
    pages = [path.read_text() for path in (ROOT / "docs").glob("api_*.md")]
    names = re.findall(r"^::: fsanet_tf\.(\w+)$", "\n".join(pages), re.MULTILINE)
    assert sorted(names) == sorted(fsanet_tf.__all__)


def test_every_page_is_in_the_navigation_once():
    navigation = (ROOT / "mkdocs.yml").read_text().split("\nnav:\n")[1]
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} | {
        "changelog.md"
    }  # docs/site_pages.py adds it
    assert sorted(re.findall(r"\w+\.md", navigation)) == sorted(pages)


def test_every_picture_is_shown_on_a_page():
    shown = set(
        re.findall(r"!\[[^]]*\]\((?:docs/)?([^)]+)\)", "\n".join(page.read_text() for page in DOCUMENTS))
    )
    pictures = {
        path.name for suffix in ("png", "jpg", "webp") for path in (ROOT / "docs").glob(f"*.{suffix}")
    }
    assert shown == pictures


def test_what_is_named_elsewhere_is_still_there():
    for command in ELSEWHERE:
        assert any(is_named(line, [command]) for line in ALL), command


@pytest.mark.slow
def test_the_readmes_code_prints_a_pose(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL):
        exec(code, {})
    (line,) = capsys.readouterr().out.splitlines()
    assert all(abs(float(angle)) < 30 for angle in line.split()[-3:])
    assert (folder / "poses.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_WITH_PYTHON)
def test_the_pages_code_runs(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    assert blocks
    for code in blocks:
        exec(code, {})


@pytest.mark.slow
@pytest.mark.parametrize("command", HERE)
def test_command_runs(command, folder, reference):
    shorter = [flag for name, flags in SHORTER.items() if is_named(command, [name]) for flag in flags]
    line = command.replace("python ", f"{sys.executable} ", 1) + "".join(f" {flag}" for flag in shorter)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "FSANET_DETECTORS": str(reference / "detectors")}
    result = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
