"""The notebooks run, use the public API alone, and are stored without outputs."""

import re
from pathlib import Path

import nbclient
import nbformat
import pytest

import fsanet_tf
from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
FIGURES = {"quickstart": 2, "own_data_to_tflite": 1, "errors_on_aflw2000": 3}


def read(path: Path) -> tuple[nbformat.NotebookNode, list[nbformat.NotebookNode]]:
    """Return a notebook and its code cells."""
    notebook = nbformat.read(path, as_version=4)
    return notebook, [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_stripped_and_uses_public_names(path):
    notebook, cells = read(path)
    nbformat.validate(notebook)
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    code = "\n".join(cell.source for cell in cells)
    assert set(re.findall(r"\bfsanet_tf\.(\w+)", code)) <= set(fsanet_tf.__all__)
    assert "from fsanet_tf" not in code


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_a_notebook_runs_and_draws_its_figures(name, tmp_path, request, monkeypatch):
    if name == "errors_on_aflw2000":
        (tmp_path / "AFLW2000").symlink_to(request.getfixturevalue("reference") / "data/AFLW2000")
    notebook, cells = read(ROOT / f"examples/{name}.ipynb")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [output for cell in cells for output in cell.outputs]
    figures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(figures) == FIGURES[name]


def test_every_notebook_runs_in_a_test():
    assert {path.stem for path in NOTEBOOKS} == set(FIGURES)
