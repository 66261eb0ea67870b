"""Tables of faces from crops with a teacher's labels: what the shipped networks were trained on.

`python recipes/teacher_tables.py --labels=AFLW_crops_labels.csv --margin_ratio=0.29 --output=aflw.csv` reads
a CSV with `name`, `yaw_teacher`, `pitch_teacher`, `roll_teacher` and `teacher_mirror_disagreement_deg`, and
writes the table that `fsanet preprocess table` takes. The margin is 0.29 for the crops of AFLW, 0.6 for web
faces and faces with masks; all are square. Where the file has them,

- `yaw_mix`, `pitch_mix`, `roll_mix`, labels of two teachers, take the place of the teacher's,
- `yaw_student`, `pitch_student`, `roll_student`, predictions of networks that learned from these labels, are
  averaged with them if `--students` asks for it,
- `near_aflw2000` marks near-duplicates of test photos, which are left out,
- `group` keeps near-duplicates together.
"""

import argparse
import csv
import re
from pathlib import Path

import numpy as np

from fsanet_tf.geometry.camera import mean_pose
from fsanet_tf.geometry.pose import ANGLE_NAMES

MEDIAN_WEIGHT_DEG = 6.0  # disagreement at which a face counts half
FRAMES_PER_GROUP = 100  # consecutive frames of a video often show one person


def weight(disagreement_deg: float) -> float:
    """How much a face counts, by how much the teacher's answers to it and its mirror image differ."""
    return 1 / (1 + (disagreement_deg / MEDIAN_WEIGHT_DEG) ** 2)


def pose(row: dict[str, str], students: bool) -> list[str]:
    """The label of two teachers if there is one, else the first teacher's, or its mean with a student's."""
    kind = "mix" if row.get("yaw_mix") else "teacher"
    label = [row[f"{angle}_{kind}"] for angle in ANGLE_NAMES]
    if not (students and row.get("yaw_student")):
        return label
    both = np.array([label, [row[f"{angle}_student"] for angle in ANGLE_NAMES]], float)
    return [f"{angle:.4f}" for angle in mean_pose(both)]


def group(row: dict[str, str], collection: str) -> str:
    """Faces that may show one person: those marked so; 100 consecutive frames of a video; else one photo."""
    if row.get("group"):
        return f"{collection}:{row['group']}"
    if row.get("source") == "video":
        number = int(re.findall(r"\d+", row["name"])[0])
        return f"{collection}:video{number // FRAMES_PER_GROUP:03d}"
    return f"{collection}:{row['name']}"


def convert(labels: Path, margin_ratio: float, output: Path, students: bool) -> int:
    """Write the table of a file of labels; return the number of faces."""
    collection = labels.stem.removesuffix("_labels")
    with labels.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not row.get("near_aflw2000")]
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("file", *ANGLE_NAMES, "margin_ratio", "weight", "group"))
        for row in rows:
            counts = weight(float(row["teacher_mirror_disagreement_deg"]))
            label = pose(row, students)
            writer.writerow((row["name"], *label, margin_ratio, f"{counts:.6g}", group(row, collection)))
    return len(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="CSV of the teacher's labels.")
    parser.add_argument("--margin_ratio", type=float, required=True, help="Margin of the crops.")
    parser.add_argument("--output", type=Path, required=True, help="Table to write.")
    parser.add_argument("--students", action="store_true", help="Average with the students' labels.")
    arguments = parser.parse_args()
    count = convert(arguments.labels, arguments.margin_ratio, arguments.output, arguments.students)
    print(f"{arguments.output}: {count} faces")
