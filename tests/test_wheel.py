"""The wheel, installed without the source tree, does its main jobs."""

import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.conftest import ROOT, write_noise_faces

# Runs `fsanet` from the folder of the first argument, with nothing of the checkout.
FROM_FOLDER = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); import fsanet_tf; "
    "assert fsanet_tf.__file__.startswith(sys.path[0]); "
    "from fsanet_tf.commands.main import main; sys.exit(main())"
)
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
    """A user's folder, whose own modules have the names of our scripts."""
    write_noise_faces(tmp_path / "faces.npz", 24)
    for name in ("demo", "evaluate", "train", "export", "preprocessing"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the user's own module')")
    return tmp_path


def assert_runs(fsanet, command, workplace):
    arguments, said, written = COMMANDS[command]
    command = [*fsanet, command, *arguments.split()]
    result = subprocess.run(command, cwd=workplace, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert said in result.stdout and (workplace / written).stat().st_size > 0


def test_the_wheel_contains_one_package_and_what_it_needs(wheel):
    assert wheel.stat().st_size < 12 << 20
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        info = next(name for name in names if name.endswith("top_level.txt"))
        assert archive.read(info).split() == [b"fsanet_tf"]
    folders = {name.split("/")[0] for name in names}
    assert {folder.split("-")[0] for folder in folders} == {"fsanet_tf"}
    for name in ("py.typed", "__init__.pyi", "io/astronaut.jpg", "networks/pretrained/var.tflite"):
        assert f"fsanet_tf/{name}" in names
    assert {name.split("/")[-1] for name in names} >= {"LICENSE", "NOTICE"}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_command_runs_from_the_wheel_next_to_the_users_own_modules(command, wheel, workplace):
    site = wheel.parent / "site"
    if not site.exists():
        pip("install", "--no-deps", f"--target={site}", str(wheel))
    assert_runs([sys.executable, "-c", FROM_FOLDER, str(site)], command, workplace)


@pytest.mark.slow
def test_a_plain_installation_predicts_without_tensorflow_below_500_mb(wheel, workplace):
    venv = wheel.parent / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    python = str(venv / "bin/python")
    pip("install", str(wheel), python=python)
    for fsanet in ([str(venv / "bin/fsanet")], [python, "-m", "fsanet_tf"]):
        for command in ("predict", "evaluate"):
            assert_runs(fsanet, command, workplace)
    size = sum(path.stat().st_size for path in venv.rglob("*") if path.is_file() and not path.is_symlink())
    assert size < 500e6
    assert not list(venv.rglob("tensorflow")) and not list(venv.rglob("keras"))
    missing = subprocess.run(
        [python, "-m", "fsanet_tf", "train", "--data=faces.npz", "--output_dir=run"],
        cwd=workplace, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert missing.returncode == 1 and "pip install 'fsanet_tf[train]'" in missing.stderr
    assert len(missing.stderr.splitlines()) == 1, missing.stderr
