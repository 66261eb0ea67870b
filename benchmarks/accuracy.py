"""The accuracy table: `python -m benchmarks.accuracy --output=docs/accuracy.md`.

Preprocesses AFLW2000 at the three crops that the networks expect and measures the released weights, the
shipped networks and a PyTorch port's ONNX nets on the same 1,969 faces; then the shipped fusion from the
boxes of each detector.
"""

import functools
import os
import tempfile
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from benchmarks.command import run
from benchmarks.detector_boxes import Matched, match_faces
from benchmarks.inference import peer
from fsanet_tf.data.dataset import FaceDataset, load_dataset
from fsanet_tf.data.preprocessing.landmark_pairs import create_300w_lp
from fsanet_tf.detection.assets import ASSET_DIR_VARIABLE
from fsanet_tf.evaluation.metrics import Errors, measure, measure_by_yaw
from fsanet_tf.geometry.crop import LANDMARK_CROP, CropRule
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG
from fsanet_tf.io.files import replace_when_done
from fsanet_tf.networks.batching import predict_poses
from fsanet_tf.networks.network import Network, load_network
from fsanet_tf.networks.pretrained import shipped_networks

PEER_CROP = CropRule(0.4)
RELEASED: dict[str, tuple[str, ...]] = {
    "1x1": ("fsanet_capsule_3_16_2_21_5",),
    "var": ("fsanet_var_capsule_3_16_2_21_5",),
    "noS": ("fsanet_noS_capsule_3_16_2_192_5",),
    "SSR-Net-MD": ("ssrnet_mt",),
}
RELEASED["fusion"] = RELEASED["1x1"] + RELEASED["var"] + RELEASED["noS"]
PAPER = {"1x1": 5.25, "var": 5.36, "noS": 5.75, "SSR-Net-MD": 6.01, "fusion": 5.07}
# Images for each detector; MTCNN takes a third of a second for one.
DETECTOR_COUNTS = {"yunet": 2000, "ssd": 2000, "haar": 2000, "lbp": 2000, "mtcnn": 500}
HEADER = """# Accuracy

`python -m benchmarks.accuracy --output=docs/accuracy.md` makes this page.

AFLW2000, protocol 1: the {count} of 2,000 faces whose three angles lie within ±99°. Mean absolute errors,
geodesic error (angle of the rotation between the poses), and the MAE by range of the true |yaw|; degrees.
Released networks and the paper's were trained on 300W-LP, the shipped ones on AFLW. Crops from the landmark
box: "0.6" is the original's, "0.29 □" the shipped networks' (square), "0.4" the port's.

| network | crop | protocol | images | paper: MAE | yaw | pitch | roll | MAE | geodesic | {ranges} |
|---|---|---|---|---|---|---|---|---|---|---|{rule}|"""
BY_DETECTOR = """
## By detector box

The shipped fusion by the demo's own path, on AFLW2000, protocol 1: MAE / geodesic error of the faces that the
detector finds, and of the same faces from their landmark boxes. Other margins: [demo.md](demo.md#detectors).

| detector | images | found | its boxes | landmark boxes |
|---|---|---|---|---|"""
FROM_THE_PAPER = """
## Not measured here: as the paper prints it

BIWI and 300W-LP are not at hand. Yaw / pitch / roll / mean, degrees.

| network | trained on | tested on | protocol | errors |
|---|---|---|---|---|
| capsule 1x1 | 300W-LP | BIWI | 1 | 4.78 / 6.24 / 3.31 / 4.31 (its angles average 4.78) |
| capsule var | 300W-LP | BIWI | 1 | 4.56 / 5.21 / 3.07 / 4.28 |
| capsule noS | 300W-LP | BIWI | 1 | 4.56 / 5.15 / 2.94 / 4.22 |
| capsule fusion | 300W-LP | BIWI | 1 | 4.27 / 4.96 / 2.76 / 4.00 |
| SSR-Net-MD | 300W-LP | BIWI | 1 | 4.49 / 6.31 / 3.61 / 4.65 |
| capsule fusion | BIWI, 70 % of the videos | BIWI, 30 % | 2 | 2.89 / 4.29 / 3.60 / 3.60 |
| SSR-Net-MD | BIWI, 70 % of the videos | BIWI, 30 % | 2 | 4.24 / 4.35 / 4.19 / 4.26 |

What each exported file costs is in the [README](../README.md)."""


def crops_of(reference: Path, folder: Path, rule: CropRule) -> FaceDataset:
    path = folder / f"{rule}.npz"
    create_300w_lp(reference / "data/AFLW2000", path, rule=rule)
    return load_dataset(path)


def format_row(name: str, crop: str, paper: float | None, total: Errors, ranges: dict[str, Errors]) -> str:
    values = (total.yaw, total.pitch, total.roll, total.mae, total.geodesic)
    cells = [
        name,
        crop,
        "1",
        str(total.images),
        "–" if paper is None else f"{paper:.2f}",
        *(f"{value:.2f}" for value in values),
    ]
    return "| " + " | ".join([*cells, *(f"{errors.mae:.2f}" for errors in ranges.values())]) + " |"


def format_detector(name: str, matched: Matched, margin: float) -> str:
    errors = (f"{e.mae:.2f} / {e.geodesic:.2f}" for e in map(matched.errors, (margin, None)))
    return "| " + " | ".join([name, str(matched.looked_at), str(len(matched.faces)), *errors]) + " |"


def main() -> None:
    reference = Path(flags.FLAGS.reference)
    os.environ.setdefault(ASSET_DIR_VARIABLE, str(reference / "detectors"))
    weights = {
        stem: load_network(reference / f"weights/300W_LP_models/{stem}.h5")
        for stems in RELEASED.values()
        for stem in stems
    }
    shipped = {path.stem: load_network(path) for path in shipped_networks().values()}
    peers = {path.stem: peer(path, 0) for path in sorted((reference / "peers").glob("*.onnx"))}
    groups: list[tuple[str, str, float | None, list[Network]]] = [
        (f"released {name}", "0.6", PAPER[name], [weights[s] for s in stems])
        for name, stems in RELEASED.items()
    ]
    groups += [(f"shipped {name}", "0.29 □", None, [net]) for name, net in shipped.items()]
    groups += [("shipped fusion", "0.29 □", None, list(shipped.values()))]
    groups += [(f"PyTorch port, {name}", "0.4", None, [net]) for name, net in peers.items()]
    groups += [("PyTorch port, both", "0.4", None, list(peers.values()))]
    with tempfile.TemporaryDirectory() as folder:
        own = next(iter(shipped.values()))
        data = {
            "0.6": crops_of(reference, Path(folder), LANDMARK_CROP),
            "0.29 □": crops_of(reference, Path(folder), own.crop),
            "0.4": crops_of(reference, Path(folder), PEER_CROP),
        }
    faces = {crop: dataset.rows_within(MAX_ANGLE_DEG) for crop, dataset in data.items()}

    @functools.cache  # a fusion's members stand in the table too
    def poses_of(network: Network, crop: str) -> np.ndarray:
        return predict_poses([network], data[crop].images[faces[crop]])

    rows = []
    for name, crop, paper, networks in tqdm(groups, unit="network"):
        true = data[crop].poses[faces[crop]]
        poses = np.mean([poses_of(network, crop) for network in networks], axis=0)
        ranges = measure_by_yaw(poses, true)
        rows.append(format_row(name, crop, paper, measure(poses, true), ranges))
    header = HEADER.format(count=len(true), ranges=" | ".join(ranges), rule="|".join(["---"] * len(ranges)))
    fusion = load_network("fusion")
    margin = fusion.crop.margin_ratio
    detectors = []
    for name, num_images in DETECTOR_COUNTS.items():
        matched = match_faces(reference / "data/AFLW2000", name, fusion, [margin], num_images)
        detectors.append(format_detector(name, matched, margin))
    with replace_when_done(flags.FLAGS.output) as temporary:
        lines = [header.rstrip(), *rows, BY_DETECTOR, *detectors, FROM_THE_PAPER]
        temporary.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    flags.DEFINE_string(
        "reference", "../shared", "Folder with AFLW2000, released weights, the port's nets and detectors."
    )
    flags.DEFINE_string("output", "docs/accuracy.md", "Page to write.")
    run(main)
