"""The accuracy page: `python -m benchmarks.accuracy --output=docs/accuracy.md`.

Measures the released weights, the shipped networks and a PyTorch port's ONNX networks on the same faces of
AFLW2000; then the shipped ones at other margins, and the default one from the boxes of each detector and by
uncertainty.
"""

import dataclasses
import functools
import math
import os
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from benchmarks.detector_boxes import LABELED, match_faces
from benchmarks.faces import crops_of, errors_of, has_twin, labeled_pictures, poses_of
from benchmarks.harness import markdown_row, run, write_text
from benchmarks.peers import VARIANTS, opentrack, ports, released
from benchmarks.plots import draw_uncertainty
from fsanet_tf.data.dataset import FaceDataset
from fsanet_tf.detection.assets import ASSET_DIR_VARIABLE
from fsanet_tf.detection.detection import Detection
from fsanet_tf.evaluation.metrics import measure, measure_by_yaw
from fsanet_tf.geometry.crop import CropRule, moved_box
from fsanet_tf.geometry.pose import angle_errors, geodesic_errors
from fsanet_tf.networks.card import POSE, UNCERTAINTY
from fsanet_tf.networks.network import Network, load_network, predict_crops
from fsanet_tf.networks.pretrained import DEFAULT, list_networks
from fsanet_tf.prediction.predictor import PosePredictor

RELEASED: dict[str, tuple[str, ...]] = {
    **{name: (stem,) for name, stem in VARIANTS.items()},
    "SSR-Net-MD": ("ssrnet_mt",),
}
RELEASED["fusion"] = tuple(VARIANTS.values())
PAPER = {"1x1": 5.25, "var": 5.36, "noS": 5.75, "SSR-Net-MD": 6.01, "fusion": 5.07}
# Images for each detector; MTCNN takes a third of a second for one.
DETECTOR_COUNTS = {"yunet": 2000, "ssd": 2000, "haar": 2000, "lbp": 2000, "mtcnn": 500}
MARGINS = (0.15, 0.22, 0.29, 0.4, 0.6)
COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.5)
HEADER = """# Accuracy

`python -m benchmarks.accuracy --output=docs/accuracy.md` makes this page.

AFLW2000, the {count:,} of 2,000 faces whose three angles lie within ±99°. Mean absolute errors, geodesic
error (angle of the rotation between the poses), the MAE of the {without_twins:,} faces without a
near-duplicate in AFLW ("distinct"), and the MAE by range of the true |yaw|; degrees. The
released networks were trained on 300W-LP, the shipped ones on AFLW, video frames and web photos. Crops from
the labeled face box: "0.6" is the original's, "0.22 □" the shipped networks' (square), "0.4" the port's.
"Mirrored" averages with the prediction for the mirrored crop, in twice the time. opentrack's int8 network
depends on the processor: 3.27 and 5.36 with AVX-512, 3.38 and 5.51 without. The shipped networks were trained
without the near-duplicates; they and their predecessors were measured on these faces after each stage of
their training, so the test set is not unseen ([model card](model_card.md)).

| network | crop | paper: MAE | yaw | pitch | roll | MAE | geodesic | distinct | {ranges} |
|---|---|---|---|---|---|---|---|---|{rule}|"""
COMMANDS = """
A command for each row, with faces cut as its crop says. `fsanet download` fetches the released files; the
rows of the port and of opentrack need `python -m benchmarks.accuracy`.

```bash
fsanet preprocess 300w_lp --input_dir=AFLW2000 --output=aflw2000.npz
{released}

fsanet preprocess 300w_lp --input_dir=AFLW2000 --output=tight.npz --square --margin_ratio=0.22 \\
  --sampling=filtered
fsanet evaluate --data=tight.npz --network=strided  # fusion, 1x1, noS, var; and with --mirror
```"""
BY_MARGIN = """
## By margin

The shipped networks on square crops of other margins around the face box: MAE / geodesic error. "Refined":
the face box, grown or shrunk so that its crop has that margin, is corrected by the network before, once or
twice (`refine=1`, `refine=2`).

| network | {margins} |
|---|{rule}|"""
BY_DETECTOR = """
## By detector box

`strided` from the boxes of each detector: MAE / geodesic error of the faces that the detector finds, and of
the same faces from their labeled face boxes. "Refined": with `refine=1`. Other margins:
[detectors](demo.md#detectors).

| detector | images | found | its boxes | refined | labeled boxes |
|---|---|---|---|---|---|"""
UNCERTAINTY_TEXT = """
## Uncertainty

`strided`, without the faces of the highest `uncertainty_deg`. The network learned it from the labels of its
teachers, so the error against measured poses is larger than expected.

![Risk against coverage, and measured against expected error](uncertainty.png)

| faces kept | MAE | geodesic | expected geodesic |
|---|---|---|---|"""
FROM_THE_PAPER = """
## Not measured here: as reported in the paper

BIWI and 300W-LP are unavailable here. Yaw / pitch / roll / mean, degrees.

| network | trained on | tested on | protocol | errors |
|---|---|---|---|---|
| capsule 1x1 | 300W-LP | BIWI | 1 | 4.78 / 6.24 / 3.31 / 4.31 (its angles average 4.78) |
| capsule var | 300W-LP | BIWI | 1 | 4.56 / 5.21 / 3.07 / 4.28 |
| capsule noS | 300W-LP | BIWI | 1 | 4.56 / 5.15 / 2.94 / 4.22 |
| capsule fusion | 300W-LP | BIWI | 1 | 4.27 / 4.96 / 2.76 / 4.00 |
| SSR-Net-MD | 300W-LP | BIWI | 1 | 4.49 / 6.31 / 3.61 / 4.65 |
| capsule fusion | BIWI, 70 % of the videos | BIWI, 30 % | 2 | 2.89 / 4.29 / 3.60 / 3.60 |
| SSR-Net-MD | BIWI, 70 % of the videos | BIWI, 30 % | 2 | 4.24 / 4.35 / 4.19 / 4.26 |

What each exported file costs is in [export](export.md); error over time and over parameters in
[efficiency](efficiency.md)."""


def networks_of(reference: Path) -> dict[str, tuple[Network, bool, float | None]]:
    """Load every network: whether to mirror, and the paper's MAE, by name."""
    found: dict[str, tuple[Network, bool, float | None]] = {}
    for name, stems in RELEASED.items():
        found[f"released {name}"] = released(reference, stems), False, PAPER[name]
    for name in list_networks():
        found[f"shipped {name}"] = load_network(name), False, None
        found[f"shipped {name}, mirrored"] = load_network(name), True, None
    found["opentrack, the teacher"] = opentrack(reference, 0), False, None
    nets = list(ports(reference, 0).values())
    found |= {f"PyTorch port, {net.name}": (net, False, None) for net in nets}
    found["PyTorch port, both"] = load_network(nets), False, None
    return found


def network_rows(reference: Path) -> list[str]:
    """Measure every network at its own crop."""
    rows, crops = [], {}
    for name, (network, mirror, paper) in tqdm(networks_of(reference).items(), unit="network"):
        rule, size = network.card.crop, network.image_size
        if (rule, size) not in crops:
            crops[rule, size] = crops_of(reference, rule, size)
        data = crops[rule, size]
        poses = poses_of(network, data.images, mirror)
        alone = ~has_twin(reference, data)
        total, ranges = measure(poses, data.poses), measure_by_yaw(poses, data.poses).values()
        values = (
            total.yaw,
            total.pitch,
            total.roll,
            total.mae,
            total.geodesic,
            measure(poses[alone], data.poses[alone]).mae,
            *(part.mae for part in ranges),
        )
        crop = f"{rule.margin_ratio:g}" + (" □" if rule.square else "")
        printed = "–" if paper is None else f"{paper:.2f}"
        rows.append(markdown_row(name, crop, printed, *(f"{value:.2f}" for value in values)))
    return rows


def margin_rows(reference: Path) -> list[str]:
    """Measure the shipped networks on crops of other margins, sampled as each expects."""
    crops_by_rule = functools.cache(lambda rule: crops_of(reference, rule))
    rows = []
    for name in list_networks():
        network = load_network(name)
        rules = [dataclasses.replace(network.card.crop, margin_ratio=margin) for margin in MARGINS]
        errors = [errors_of(network, crops_by_rule(rule)) for rule in rules]
        rows.append(markdown_row(name, *(f"{e.mae:.2f} / {e.geodesic:.2f}" for e in errors)))
    for times, refine in ("once", 1), ("twice", 2):
        rows.append(markdown_row(f"{DEFAULT}, refined {times}", *refined_at_margins(reference, refine)))
    return rows


def refined_at_margins(reference: Path, refine: int) -> list[str]:
    """Measure the default network from boxes that are too large or too small, corrected by it."""
    predictor = PosePredictor(DEFAULT, refine=refine)
    own_side = predictor.crop_rule.growth
    poses: dict[float, list] = {margin: [] for margin in MARGINS}
    true_deg = []
    for image, box, pose in labeled_pictures(reference / "data/AFLW2000", 2000, "refined"):
        true_deg.append(pose)
        for margin, found in poses.items():
            growth = math.log(CropRule(margin).growth / own_side)
            grown = moved_box(box, predictor.crop_rule, (0, 0, growth))
            (face,) = predictor.predict(image, [Detection(grown)])
            found.append(face.pose_deg)
    errors = [measure(np.array(found), np.array(true_deg)) for found in poses.values()]
    return [f"{error.mae:.2f} / {error.geodesic:.2f}" for error in errors]


def detector_rows(reference: Path) -> list[str]:
    """Measure the default network from the boxes of each detector."""
    predictors = {"its boxes": PosePredictor(DEFAULT), "refined": PosePredictor(DEFAULT, refine=1)}
    rows = []
    for name, num_images in DETECTOR_COUNTS.items():
        matched = match_faces(reference / "data/AFLW2000", name, predictors, num_images)
        errors = (f"{e.mae:.2f} / {e.geodesic:.2f}" for e in map(matched.errors, (*predictors, LABELED)))
        rows.append(markdown_row(name, matched.looked_at, len(matched.faces), *errors))
    return rows


def uncertainty_rows(tight: FaceDataset, picture: Path) -> list[str]:
    """Measure what leaving out the default network's most uncertain faces gains, and draw the curves."""
    outputs = predict_crops(load_network(DEFAULT), tight.images)
    expected = outputs[UNCERTAINTY]
    order = np.argsort(expected, kind="stable")
    absolute = angle_errors(outputs[POSE], tight.poses).mean(axis=1)
    measured = geodesic_errors(outputs[POSE], tight.poses)
    draw_uncertainty(expected, measured, absolute, picture)
    rows = []
    for share in COVERAGES:
        kept = order[: round(share * len(order))]
        means = (values[kept].mean() for values in (absolute, measured, expected))
        rows.append(markdown_row(f"{100 * share:.0f} %", *(f"{mean:.2f}" for mean in means)))
    return rows


def main() -> None:
    reference, output = Path(flags.FLAGS.reference), Path(flags.FLAGS.output)
    os.environ.setdefault(ASSET_DIR_VARIABLE, str(reference / "detectors"))
    tight = crops_of(reference, load_network(DEFAULT).card.crop)
    ranges = [f"{name}°" for name in measure_by_yaw(tight.poses, tight.poses)]
    without_twins = int((~has_twin(reference, tight)).sum())
    header = HEADER.format(
        count=len(tight),
        without_twins=without_twins,
        ranges=" | ".join(ranges),
        rule="|".join(["---"] * len(ranges)),
    )
    margins = " | ".join(f"{margin:g}" for margin in MARGINS)
    files = [",".join(f"{stem}.h5" for stem in stems) for stems in RELEASED.values()]
    released = "\n".join(f"fsanet evaluate --data=aflw2000.npz --network={names}" for names in files)
    lines = [
        *(header, *network_rows(reference), COMMANDS.format(released=released)),
        *(BY_MARGIN.format(margins=margins, rule="|".join(["---"] * len(MARGINS))), *margin_rows(reference)),
        *(BY_DETECTOR, *detector_rows(reference)),
        *(UNCERTAINTY_TEXT, *uncertainty_rows(tight, output.with_name("uncertainty.png"))),
        FROM_THE_PAPER,
    ]
    write_text(output, lines)


if __name__ == "__main__":
    flags.DEFINE_string(
        "reference", "../shared", "Folder with AFLW2000, released weights, the port's nets and detectors."
    )
    flags.DEFINE_string("output", "docs/accuracy.md", "Page to write.")
    run(main)
