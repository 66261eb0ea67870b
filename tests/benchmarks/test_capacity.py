"""Runs of networks of several sizes become a page with a picture."""

import pytest

from tests.conftest import run_fsanet, run_process, write_noise_faces


@pytest.mark.slow
def test_runs_become_a_page(tmp_path):
    data, runs = tmp_path / "faces.npz", [tmp_path / "half", tmp_path / "whole"]
    write_noise_faces(data, 32)
    for run_dir, width in zip(runs, (0.5, 1), strict=True):
        options = (f"--width={width}", "--epochs=1", "--batch_size=8", "--validation_fraction=0.5")
        trained = run_fsanet("train", f"--data={data}", f"--output_dir={run_dir}", *options)
        assert trained.returncode == 0, trained.stderr

    page, given = tmp_path / "capacity.md", f"--runs={runs[0]},{runs[1]}"
    command = ("-m", "benchmarks.capacity", given, "--rounds=3", f"--output={page}")
    result = run_process(*command, f"--data={data}")
    assert result.returncode == 0, result.stderr
    text = page.read_text()
    assert "--runs=runs/half,runs/whole" in text and "trained from nothing for 1 epochs" in text
    half, whole = (row.split(" | ") for row in text.splitlines() if row.startswith(("| half", "| whole")))
    parameters, times, errors = 1, (2, 5), (3, 4, 6, 7)
    assert float(half[parameters][:-2]) < float(whole[parameters][:-2])
    assert all(float(row[time]) > 0 for row in (half, whole) for time in times)
    assert all(5 < float(row[error].strip(" |")) < 120 for row in (half, whole) for error in errors)
    assert page.with_suffix(".png").stat().st_size > 10_000

    other = tmp_path / "other.npz"
    write_noise_faces(other, 8)
    refused = run_process(*command, f"--data={other}")
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert refused.stderr.endswith(f"error: {runs[0]}: was trained on none of {other}\n")
