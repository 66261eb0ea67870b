"""Tables of faces from crops with a teacher's labels: what the shipped networks were trained on.

`python recipes/teacher_tables.py --labels=labels.csv --margin_ratio=0.29 --output=aflw.csv` reads a CSV with
`name`, `yaw_teacher`, `pitch_teacher`, `roll_teacher` and `teacher_mirror_disagreement_deg`. It writes the
table that `fsanet preprocess table` takes.
"""

import argparse
import csv
import re
from pathlib import Path

MEDIAN_WEIGHT_DEG = 6.0  # disagreement at which a face counts half
FRAMES_PER_GROUP = 100  # consecutive frames of a video often show one person


def weight(disagreement_deg: float) -> float:
    """How much a face counts, by how much the teacher's answers to it and its mirror image differ."""
    return 1 / (1 + (disagreement_deg / MEDIAN_WEIGHT_DEG) ** 2)


def group(row: dict[str, str]) -> str:
    """Faces that may show one person: 100 consecutive frames of a video; else one photo."""
    if row.get("source") == "video":
        number = int(re.findall(r"\d+", row["name"])[0])
        return f"video{number // FRAMES_PER_GROUP:03d}"
    return row["name"]


def convert(labels: Path, margin_ratio: float, output: Path) -> int:
    """Write the table of a file of labels; return the number of faces."""
    with labels.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with output.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "yaw", "pitch", "roll", "margin_ratio", "weight", "group"))
        for row in rows:
            pose = (row[f"{angle}_teacher"] for angle in ("yaw", "pitch", "roll"))
            disagreement = float(row["teacher_mirror_disagreement_deg"])
            writer.writerow((row["name"], *pose, margin_ratio, f"{weight(disagreement):.6g}", group(row)))
    return len(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=Path, required=True, help="CSV of the teacher's labels.")
    parser.add_argument("--margin_ratio", type=float, required=True, help="Margin of the crops.")
    parser.add_argument("--output", type=Path, required=True, help="Table to write.")
    arguments = parser.parse_args()
    count = convert(arguments.labels, arguments.margin_ratio, arguments.output)
    print(f"{arguments.output}: {count} faces")
