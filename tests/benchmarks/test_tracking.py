"""Followed frames are measured, and drawn for the README."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from tests.conftest import ROOT


@pytest.mark.slow
def test_frames_are_timed_in_turns(reference, tmp_path, monkeypatch):
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    command = [sys.executable, "-m", "benchmarks.tracking", "--network=1x1", "--frames=12", "--rounds=1"]
    result = subprocess.run(
        [*command, f"--json={tmp_path / 't.json'}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    columns = json.loads((tmp_path / "t.json").read_text())["comparisons"]
    assert columns[0]["column"] == "1280×720" and len(columns) == 4
    for column in columns:
        times = {name: row["median"] for name, row in column["rows"].items()}
        assert 0 < times["followed by `1x1`"] < times["YuNet in each frame, `1x1`"]


@pytest.mark.slow
def test_the_tracker_is_animated(tmp_path):
    output = tmp_path / "t.webp"
    command = [sys.executable, "docs/draw_tracking.py", f"--output={output}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    assert Image.open(output).n_frames > 50
