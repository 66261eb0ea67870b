"""The tables of the benchmarks: medians, ratios to the baseline, and the page that is made of them."""

import re

import numpy as np
import pytest

from benchmarks.harness import (
    as_markdown,
    compare,
    interleave,
    peak_mib,
    read_comparisons,
    write_comparisons,
)
from benchmarks.page import write_page
from tests.conftest import assert_one_clear_line, run_process


def test_less_time_and_more_throughput_are_better():
    times = compare("t", "c", "ms a face", "slow", {"slow": [4.0, 4.0, 10.0], "fast": [1.0, 2.0, 3.0]})
    assert times.rows["fast"].median == 2 and times.rows["fast"].spread == 1
    assert times.times_better("fast") == 2 and times.times_better("slow") == 1
    rates = compare("t", "c", "images/s", "slow", {"slow": [100.0], "fast": [250.0]})
    assert rates.times_better("fast") == 2.5


def test_a_table_says_where_a_way_was_not_measured():
    columns = [
        compare("t", "one", "ms", "a", {"a": [2.0], "b": [1.0]}),
        compare("t", "two", "ms", "a", {"a": [3.0]}),
    ]
    assert as_markdown(columns).splitlines() == [
        "|  | one (ms) | two (ms) |",
        "|---|---|---|",
        "| a | **1 ×** 2 | **1 ×** 3 |",
        "| b | **2 ×** 1 | – |",
    ]


def test_figures_survive_their_file(tmp_path):
    columns = [compare("t", "one", "ms", "a", {"a": [2.0, 2.5], "b": [1.0]})]
    write_comparisons(tmp_path / "f.json", columns)
    assert read_comparisons(tmp_path / "f.json") == columns


def test_page_contains_every_table_once(tmp_path):
    columns = [
        compare("Networks", "one face", "ms a face", "original", {"original": [5.0], "ours": [1.0]}),
        compare("Start-up", "time", "s", "original", {"original": [5.0], "ours": [1.0]}),
        compare("Networks", "64 faces", "ms a face", "original", {"original": [4.0], "ours": [2.0]}),
    ]
    write_page(tmp_path / "page.md", columns, "python -m benchmarks")
    text = (tmp_path / "page.md").read_text()
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == ["Networks", "Start-up"]
    assert "| ours | **5 ×** 1 | **2 ×** 2 |" in text


def test_peak_memory_is_at_least_what_was_used():
    used = np.ones(2**24)  # 128 MiB
    assert peak_mib() > used.nbytes / 2**20


def test_calls_take_turns():
    made = []
    times = interleave({name: lambda name=name: made.append(name) for name in "ab"}, rounds=10)
    assert [len(values) for values in times.values()] == [10, 10]
    rounds = made[10:]  # after the warmup
    assert all({*rounds[i : i + 2]} == {"a", "b"} for i in range(0, 20, 2))


def test_missing_reference_is_said():
    assert_one_clear_line(run_process("-m", "benchmarks", "--reference=nowhere"), "nowhere: no such folder")


@pytest.mark.slow
def test_quick_benchmarks_make_a_page(reference, tmp_path):
    work_dir = f"--work_dir={tmp_path}"
    result = run_process("-m", "benchmarks", "--quick", f"--reference={reference}", work_dir)
    assert result.returncode == 0, result.stderr
    text = (tmp_path / "quick.md").read_text()
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert titles == ["Networks", "Start-up to the first pose"]
    assert len(re.findall(r"\| `fusion` \|( \*\*[\d.]+ ×\*\* [\d.]+[^|]*\|){2}", text)) == 1
