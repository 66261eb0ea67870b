"""The recipes of the shipped networks: options that exist, tables that preprocessing takes."""

import csv
import runpy
import sys

import cv2
import numpy as np
import pytest

from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.geometry.crop import CropRule
from tests.conftest import ROOT, assert_one_clear_line, run_fsanet

RECIPES = sorted((ROOT / "recipes").glob("*.flags"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_training_takes_the_recipe(recipe, tmp_path, own_tables):
    assert recipe.read_text().startswith("# ")
    result = run_fsanet(
        "train",
        f"--flagfile={recipe}",
        f"--data={tmp_path / 'absent.npz'}",
        f"--output_dir={tmp_path / 'run'}",
    )
    assert_one_clear_line(result, "absent.npz: no such file")


def test_a_recipe_that_is_none_is_one_clear_line(tmp_path):
    picture = tmp_path / "a picture.flags"
    picture.write_bytes(b"\x89PNG\r\n")
    for arguments in ([f"--flagfile={picture}"], ["--flagfile", str(picture)]):
        assert_one_clear_line(run_fsanet("train", *arguments), f"{picture}: expected a text file of options")
    absent = f"--flagfile={tmp_path / 'absent.flags'}"
    assert_one_clear_line(run_fsanet("train", absent), "error: Unable to open flagfile", "absent.flags'")


def test_a_teachers_labels_become_a_dataset(tmp_path, monkeypatch, capsys):
    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        runpy.run_path(str(ROOT / "recipes" / name), run_name="__main__")

    monkeypatch.chdir(tmp_path)
    columns = ("name", "source", "yaw_teacher", "pitch_teacher", "roll_teacher",
               "teacher_mirror_disagreement_deg", "yaw_mix", "pitch_mix", "roll_mix", "group",
               "near_aflw2000", "yaw_student", "pitch_student", "roll_student")  # fmt: skip
    none = ("",) * 3
    rows = [
        *((f"face{i:05d}.jpg", "video", i, 0, 0, 6, *none, "", "", *none) for i in (4, 5, 120)),
        ("face9.jpg", "web", 5, 0, 0, 0, 7.5, 1, 2, "", "", *none),
        ("face10.jpg", "mask", 3, 0, 0, 0, 6, 0, 0, "17", "", 8, 0, 0),
        ("face11.jpg", "web", 7, 0, 0, 0, *none, "", "image00002", *none),
    ]
    with open("web_labels.csv", "w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    for name, *_ in rows:
        cv2.imwrite(str(tmp_path / name), np.full((96, 96, 3), 90, np.uint8))
    table = ["teacher_tables.py", "--labels=web_labels.csv", "--margin_ratio=0.6", "--output=table.csv"]
    run(*table, "--students")
    with open("table.csv", newline="") as file:
        assert [float(row["yaw"]) for row in csv.DictReader(file)] == [4, 5, 120, 7.5, 7]
    run(*table)
    result = run_fsanet("preprocess", "table", "--table=table.csv", "--image_size=96", "--output=f.npz")
    assert result.returncode == 0, result.stderr
    labels = load_dataset("f.npz")
    assert labels.poses[:, 0].tolist() == [4, 5, 120, 7.5, 6]  # without the twin of a test photo
    assert labels.weights.tolist() == [0.5, 0.5, 0.5, 1.0, 1.0]
    assert labels.crop == CropRule(0.6, square=True, sampling="filtered")
    assert labels.groups.tolist() == [
        "web:video000", "web:video000", "web:video001", "web:face9.jpg", "web:17",
    ]  # fmt: skip
    capsys.readouterr()
    run("diagnosis.py", "--data=f.npz", "--networks=var", "--validation_fraction=0.5")
    printed = capsys.readouterr().out
    assert [line.split(":")[0] for line in printed.splitlines()] == [
        "var, training",
        "var, held out",
        "var, moved by up to 30%",
        "var, moved by up to 10%",
    ]
