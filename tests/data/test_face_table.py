"""Tables of faces: what is understood, what is refused, and what is asked about."""

import numpy as np
import pytest

from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.data.preprocessing.synthetic import SyntheticConfig, synthesize
from tests.conftest import assert_one_clear_line, run_fsanet

HEADER = "file,yaw,pitch,roll,left,top,right,bottom,weight\n"
GOOD = "heads/synthetic_00001.jpg,9.1,0.2,0.3,40,40,120,120,1\n"


@pytest.fixture
def head(tmp_path):
    synthesize(SyntheticConfig(tmp_path / "heads", 1))
    return tmp_path


def preprocess(folder, text, *options):
    """Preprocess a table of this content."""
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "faces.csv").write_bytes(content)
    files = (f"--table={folder / 'faces.csv'}", f"--output={folder / 'own.npz'}")
    return run_fsanet("preprocess", "table", *files, "--workers=1", *options)


def test_mistakes_in_a_table_are_named(head):
    bad = [
        ("absent.jpg,1,2,3,40,40,120,120,", "no such file"),
        ("heads/synthetic_00001.jpg,x,2,3,40,40,120,120,", "yaw: expected a number, received 'x'"),
        ("heads/synthetic_00001.jpg,1,2,300,40,40,120,120,", "expected angles within ±180°"),
        ("heads/synthetic_00001.jpg,1,2,3,90,40,40,120,", "expected left, top, right, bottom"),
        ("heads/synthetic_00001.jpg,1,2,3,60,60,,,", "right and bottom missing"),
        ("heads/synthetic_00001.jpg,1,2,3,0,0,1,1,", "in pixels, at least 2 apart"),
        ("heads/synthetic_00001.jpg,1,2,3,40,40,120,120,-1", "weight: expected a number of 0 or more"),
    ]
    result = preprocess(head, HEADER + GOOD + "".join(line + "\n" for line, _ in bad))
    assert result.returncode == 0 and "1 crops of 8 sources, 7 left out" in result.stdout
    for number, (_, reason) in enumerate(bad, 3):
        assert any(f"line {number}, " in line and reason in line for line in result.stdout.splitlines()), (
            reason
        )
    radians = preprocess(head, HEADER + GOOD.replace("9.1", "0.1"))
    assert_one_clear_line(radians, "are these radians?")
    assert preprocess(head, HEADER + GOOD.replace("9.1", "0.1"), "--degrees").returncode == 0
    assert load_dataset(head / "own.npz").poses.tolist() == [pytest.approx([0.1, 0.2, 0.3])]


def test_tables_that_are_not_understood_are_refused(head):
    line = "heads/synthetic_00001.jpg,9,2,3,40,40,80,80\n"
    for header, said in {
        "file,yaw\n": "expected the columns file, yaw, pitch, roll, pitch is missing",
        "file;yaw;pitch;roll\n": "found file;yaw;pitch;roll; separated by semicolons",
        "file,yaw,pitch,roll,x,y,w,h\n": "left, top, width, height, found x, y, w, h",
        "file,yaw,pitch,roll,x_min,y_min,x_max,y_max\n": "found x_min, y_min, x_max, y_max",
        "file,yaw,pitch,roll,bbox_left,face_y,cx,B\n": "found bbox_left, face_y, cx, B",
        "file\tyaw\tpitch\troll\n": "separated by tabs",
        "file,yaw,pitch,roll,left,top\n": "line 2 has more cells than the header, received '80, 80'",
        "file,yaw,pitch,roll,left,top,left,top\n": "the column left occurs twice",
    }.items():
        assert_one_clear_line(preprocess(head, header + line), "faces.csv: ", said)
    assert_one_clear_line(preprocess(head, ("file,yaw\n" + line).encode("utf-16-le")), "expected a text file")


def test_width_and_height_are_understood_and_encodings_read(head):
    boxes = {
        "right,bottom": "heads/synthetic_00001.jpg,9,2,3,40,40,120,130\n",
        "width,height": "heads/synthetic_00001.jpg,9,2,3,40,40,80,90\n",
    }
    images = []
    for columns, line in boxes.items():
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            for header in ("file,yaw,pitch,roll,left,top", "File,YAW,Pitch,Roll,Left,TOP"):
                text = f"{header},{columns}\n{line}"
                assert preprocess(head, text.replace("\n", "\r").encode(encoding)).returncode == 0
                images.append(np.load(head / "own.npz")["image"])
    assert all((image == images[0]).all() for image in images)


def test_nothing_is_written_without_a_crop_or_a_weight_and_the_cause_is_said(head):
    assert_one_clear_line(
        preprocess(head, HEADER + GOOD.replace("9.1", "x")),
        "own.npz: no source yielded a crop, nothing to write (line 2, heads/synthetic_00001.jpg: yaw: ",
    )
    assert_one_clear_line(preprocess(head, HEADER + GOOD.replace(",1\n", ",0\n")), "all weights are 0")
    assert not (head / "own.npz").exists()


def test_unused_columns_are_named(head):
    result = preprocess(head, HEADER.replace("weight", "wieght") + GOOD)
    assert result.returncode == 0 and "columns that are not used: wieght" in result.stderr


def test_the_margin_of_crops_is_asked_for(head):
    table = "file,yaw,pitch,roll\nheads/synthetic_00001.jpg,9,2,3\n"
    asked = preprocess(head, table)
    assert_one_clear_line(asked, "--cropped_margin_ratio: is required: line 2 of", "no margin_ratio")
    assert preprocess(head, table, "--cropped_margin_ratio=0.1").returncode == 0
    assert np.load(head / "own.npz")["margin_ratio"] == pytest.approx(0.1)
    stated = table.replace("roll\n", "roll,margin_ratio\n").replace("9,2,3", "9,2,3,0.2")
    assert preprocess(head, stated).returncode == 0
    assert np.load(head / "own.npz")["margin_ratio"] == pytest.approx(0.2)
