"""The public face: light to import, complete, documented, typed; its examples run."""

import ast
import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

import fsanet_tf
from fsanet_tf.commands.main import COMMANDS, load_command
from fsanet_tf.models.build import build_model
from fsanet_tf.networks.pretrained import network_files
from fsanet_tf.registry import import_thing
from tests.conftest import ROOT, run_fsanet, run_process, write_noise_faces
from tests.legacy_files import legacy_arrays, write_legacy

STUB = ROOT / "fsanet_tf/__init__.pyi"
IMPORTS = {
    alias.name: node.module
    for node in ast.parse(STUB.read_text()).body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}

# What trains or exports a whole network, or starts Ray.
SLOW_EXAMPLES = ("ExportReport", "export_model", "label_dataset", "train")


def test_import_is_light_and_shows_the_public_names():
    code = (
        "import sys, fsanet_tf; print(*dir(fsanet_tf)); "
        "assert not {'tensorflow', 'keras', 'cv2', 'matplotlib', 'absl'} & set(sys.modules)"
    )
    result = run_process("-c", code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == sorted(IMPORTS)


def test_the_submodules_show_the_same():
    for name, module in IMPORTS.items():
        assert name in importlib.import_module(f"fsanet_tf.{module}").__all__, (name, module)
    folders = {path.name for path in (ROOT / "fsanet_tf").iterdir() if path.is_dir()}
    assert not folders & set(IMPORTS)  # no function and subpackage share a name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="predicct"):
        fsanet_tf.predicct  # noqa: B018


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of the original's layout."""
    path = tmp_path_factory.mktemp("weights") / "fsanet_capsule_3_16_2_21_5.h5"
    return write_legacy(path, legacy_arrays(build_model("fsanet_1x1_capsule")))


@pytest.fixture
def folder(tmp_path, weights, own_tables, monkeypatch):
    """What the examples name."""
    photo = fsanet_tf.read_image("astronaut")[:256, 96:352]
    cv2.imwrite(str(tmp_path / "photo.jpg"), photo)
    write_noise_faces(tmp_path / "faces.npz", 24)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), photo)
    (tmp_path / "table.csv").write_text(
        "file,left,top,right,bottom,yaw,pitch,roll\na.png,90,60,160,150,5,0,0\nb.png,,,,,5,0,0\n"
    )
    (tmp_path / weights.name).symlink_to(weights)
    monkeypatch.chdir(tmp_path)


def find_examples() -> list[str]:
    """Return each class and function whose docstring has an example, as `module:name`."""
    found = []
    for path in sorted((ROOT / "fsanet_tf").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and ">>> " in (ast.get_docstring(node) or ""):
                found.append(f"{module}:{node.name}")
    return found


def test_every_public_name_has_an_example():
    assert {f"fsanet_tf.{module}:{name}" for name, module in IMPORTS.items()} <= set(find_examples())


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(a, marks=pytest.mark.slow if a.partition(":")[2] in SLOW_EXAMPLES else ())
        for a in find_examples()
    ],
)
def test_every_example_runs(address, folder):
    module = importlib.import_module(address.partition(":")[0])
    names = {**vars(module), "fsanet_tf": fsanet_tf, "np": np, "Path": Path}
    finder = doctest.DocTestFinder(recurse=False)
    (test,) = finder.find(import_thing(address), address, module=False, globs=names)
    output: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=output.append)
    assert runner.tries and not runner.failures, "".join(output)


@pytest.mark.slow
def test_the_readmes_code_is_clean_under_strict_types(tmp_path):
    code = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "code.py").write_text("\n".join(code))
    command = ["-m", "mypy", "--strict", "--follow-imports=silent", "--ignore-missing-imports"]
    result = run_process(
        *command, str(tmp_path / "code.py"), MYPYPATH=str(ROOT), MYPY_CACHE_DIR=str(tmp_path)
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_keras_reads_our_files_once_their_classes_are_imported():
    path = str(network_files("var", ".keras")[0])
    code = "import sys, keras; {0}print(keras.models.load_model(sys.argv[1]).name)"
    ours = run_process("-c", code.format("import fsanet_tf.models.pose_network; "), path)
    assert ours.stdout.split()[-1] == "fsanet_var_capsule", ours.stderr
    alone = run_process("-c", code.format(""), path)  # finds the package by the paths in the file, or says so
    assert alone.returncode == 0 or "fsanet_tf" in alone.stderr
    assert isinstance(fsanet_tf.load_model(path), keras.Model)


def test_a_command_runs_twice_in_one_process(tmp_path):
    write_noise_faces(tmp_path / "faces.npz", 24)
    for _ in range(2):
        result = run_fsanet("evaluate", "--network=1x1", f"--data={tmp_path / 'faces.npz'}")
        assert result.returncode == 0 and "MAE" in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_help_lists_every_option_required_ones_first(name):
    result = run_fsanet(*name.split(), "--help")
    assert result.returncode == 0 and not result.stderr
    options = re.findall(r"^  --(?:\[no\])?(\w+)", result.stdout, re.MULTILINE)
    required = load_command(name).required
    assert tuple(options[: len(required)]) == required and len(set(options)) == len(options) > 0


def test_help_of_the_program_lists_the_commands():
    for arguments in ((), ("--help",)):
        assert all(f"  {name} " in run_fsanet(*arguments).stdout for name in COMMANDS)
    assert run_fsanet("--version").stdout.strip() == fsanet_tf.__version__


SCRIPTS = ["train.py", "evaluate.py", "export.py", *(f"demo/{n}.py" for n in ("run", "heatmap"))]
SCRIPTS += [str(path.relative_to(ROOT)) for path in sorted((ROOT / "preprocessing").glob("*.py"))]


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_work_from_a_checkout_that_is_not_installed(script, tmp_path):
    """With `-S`, Python does not see the editable installation; the dependencies' folder is given."""
    code = (
        "import runpy, sys; sys.path.append(sys.argv.pop(1)); "
        "runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    )
    (site,) = (path for path in sys.path if path.endswith("site-packages"))
    command = [sys.executable, "-S", "-c", code, site, str(ROOT / script), "--help"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "usage: fsanet" in result.stdout
