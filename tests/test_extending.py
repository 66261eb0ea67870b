"""The files of docs/extending.md, outside the package, through train, save, evaluate and export."""

import re
import subprocess
from pathlib import Path

import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.registry import TABLES, Registry, import_thing, register
from tests.conftest import ROOT, assert_one_clear_line, run_process, write_noise_faces

FILES = {
    code.splitlines()[0].removeprefix("# "): code
    for code in re.findall(r"```python\n(.*?)```", (ROOT / "docs/extending.md").read_text(), re.DOTALL)
}
TRAIN = (
    "train", "--data=faces.npz", "--output_dir=run", "--epochs=1", "--batch_size=8", "--image_size=32"
)  # fmt: skip
VARIANTS = {
    "mean_aggregation.py": "--variant=fsanet_var_mean",
    "mobile_backbone.py": "--variant=fsanet_var_capsule_mobile",
    "robust_loss.py": "--loss=robust",
}


def fsanet(extension: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    """Run `fsanet ARGUMENTS` with an extension, as a user would."""
    result = run_process("-m", "fsanet_tf", *arguments, cwd=cwd, FSANET_EXTENSIONS=extension)
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, code in FILES.items():
        (tmp_path / name).write_text(code)
    write_noise_faces(tmp_path / "faces.npz", 32)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("extension", VARIANTS)
def test_an_idea_in_one_file_is_trained_saved_evaluated_and_exported(extension, folder):
    fsanet(extension, *TRAIN, VARIANTS[extension], cwd=folder)
    result = fsanet(extension, "evaluate", "--weights=run/final.keras", "--data=faces.npz", cwd=folder)
    assert "MAE" in result.stdout
    formats = [f"--format={name}" for name in ("onnx", "tflite_float32", "tflite_int8")]
    options = ["--representative_data=faces.npz", "--latency_rounds=0", "--max_mae_increase=1"]
    result = fsanet(
        extension, "export", "--weights=run/final.keras", "--output_dir=out", *formats, *options, cwd=folder
    )
    assert len(list((folder / "out").glob("*.tflite"))) == 2, result.stdout


def test_a_detector_in_one_file_is_used_by_name(folder):
    result = fsanet("profile_detector.py", "predict", "astronaut", "--detector=profile", cwd=folder)
    assert "astronaut" in result.stdout and (folder / "astronaut_poses.png").exists()


def test_an_extension_in_error_is_one_clear_line(folder):
    def answer(extension: str):
        return run_process("-m", "fsanet_tf", "--help", cwd=folder, FSANET_EXTENSIONS=extension)

    assert_one_clear_line(answer("absent.py"), "FSANET_EXTENSIONS: absent.py: expected a Python file")
    (folder / "broken.py").write_text("import fsanet_tf\nfsanet_tf.register('backbon', 'x')\n")
    assert_one_clear_line(answer("broken.py"), "broken.py: could not import it", "kind must be one of")


@pytest.mark.parametrize("kind", TABLES)
def test_every_entry_of_every_table_exists(kind):
    table = import_thing(TABLES[kind])
    assert isinstance(table, Registry) and len(table) == len(list(table)) > 0
    assert all(table[name] is not None for name in table)
    with pytest.raises(InputError, match=r"must be one of .*Received: nonsense"):
        table["nonsense"]


COLORS = Registry("color", {"red": 1})


def test_a_registered_thing_is_found_and_replaced(monkeypatch):
    monkeypatch.setitem(TABLES, "color", f"{__name__}:COLORS")
    assert register("color", "blue")(2) == 2
    register("color", "red")(3)
    assert dict(COLORS) == {"red": 3, "blue": 2}
    with pytest.raises(InputError, match="kind must be one of"):
        register("colour", "blue")
