"""Outputs are refused before anything is loaded: what cannot be written, and what would replace an input."""

import os
from pathlib import Path

import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.export.config import ExportConfig
from fsanet_tf.io.files import require_other_files, writable_folder, writable_path
from tests.conftest import assert_one_clear_line, run_fsanet


@pytest.fixture
def names(tmp_path, monkeypatch) -> list[str]:
    """Return names of one file."""
    monkeypatch.chdir(tmp_path)
    Path("a.jpg").write_bytes(b"photo")
    Path("folder").mkdir()
    os.symlink("a.jpg", "soft.jpg")
    os.link("a.jpg", "hard.jpg")
    return ["a.jpg", "./a.jpg", "folder/../a.jpg", "soft.jpg", "hard.jpg", str(tmp_path / "a.jpg")]


def test_an_output_is_no_source_by_any_name(names):
    for name in names:
        with pytest.raises(InputError, match=r"\.jpg: is the source, expected another output"):
            require_other_files(["a.jpg"], [Path(name)])
    require_other_files(["a.jpg"], [Path("b.jpg"), Path("folder/a.jpg")])


def test_two_outputs_are_not_one_file(names):
    for other in ("./new.csv", "folder/../new.csv"):
        with pytest.raises(InputError, match=r"new\.csv: is written twice"):
            require_other_files(["a.jpg"], [Path("new.csv"), Path(other)])


@pytest.mark.parametrize("path", ["/dev/null", "/dev/stdout"])
def test_a_device_is_no_output(path):
    if Path(path).is_file():
        pytest.skip("standard output is a file here")
    with pytest.raises(InputError, match=f"{path}: expected a file to write, received a device or a pipe"):
        writable_path(path)


def test_a_folder_is_none_where_a_file_is(names):
    assert writable_folder("folder/new/deep") == Path("folder/new/deep")
    with pytest.raises(InputError, match=r"a\.jpg: expected a folder, received a file$"):
        writable_folder("a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg/runs: expected a folder, received a file in its place"):
        writable_folder("a.jpg/runs")


def test_commands_check_their_outputs_first(tmp_path):
    (tmp_path / "net.keras").write_bytes(b"network")
    (tmp_path / "faces.csv").write_text("file,yaw,pitch,roll,margin_ratio\na.jpg,1,2,3,0.3\n")
    for arguments, message in (
        (("predict", "--network=net.keras", "--nodraw", "--csv=net.keras"), "net.keras: is the source"),
        (("heatmap", "--network=net.keras", "--output=net.keras"), "net.keras: is the source"),
        (("evaluate", "--network=net.keras", "--data=d.npz", "--output_dir=net.keras"), "expected a folder"),
        (
            ("preprocess", "table", "--table=faces.csv", "--output=faces.csv"),
            "expected an .npz file to write",
        ),
    ):
        assert_one_clear_line(run_fsanet(*arguments, cwd=tmp_path), message)
    assert (tmp_path / "net.keras").read_bytes() == b"network" and len(list(tmp_path.iterdir())) == 2


def test_an_export_goes_to_a_folder(tmp_path):
    from fsanet_tf.export.export import export_model

    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file: expected a folder, received a file"):
        export_model(ExportConfig(("1x1",), str(tmp_path / "file")))
