"""Writes weight files as the original's Keras 2 did, for tests of unavailable or broken ones."""

import re
from collections import defaultdict
from pathlib import Path

import h5py
import keras
import numpy as np

GROUPS = {"capsule": "ssr_Cap_model", "netvlad": "ssr_Agg_model", "metric": "ssr_Metric_model"}
AGGREGATION = {
    "capsule/kernel": "caps/W",
    "netvlad/assignment_kernel": "net_vlad_1/kernel_W1",
    "netvlad/assignment_bias": "net_vlad_1/kernel_B1",
    "netvlad/centers": "net_vlad_1/kernel_W2",
    "netvlad/projection": "net_vlad_1/kernel_H1",
    "metric_features/kernel": "mat_mul_layer_1/kernel_type1",
    "metric_capsules/kernel": "mat_mul_layer_2/kernel_type2",
}


def released_name(path: str, variant: str, offset: int) -> tuple[str, str]:
    """The group and the layer/weight that the original gives one of our weights."""
    flat = variant == "ssrnet_mt"
    *_, layer, weight = path.split("/")
    aggregation = variant.split("_")[-1]
    if f"{layer}/{weight}" in AGGREGATION:
        return GROUPS[aggregation], AGGREGATION[f"{layer}/{weight}"]
    if match := re.match(r"(relu|tanh)_block(\d)_(conv|norm)", layer):
        number = int(match[2]) + (7 if match[1] == "tanh" else 0) + offset
        name = f"{'separable_conv2d' if match[3] == 'conv' else 'batch_normalization'}_{number}"
        return name if flat else "ssr_G_model", f"{name}/{weight}"
    if match := re.match(r"stage(\d)_(tanh|relu)_conv", layer):
        name = f"conv2d_{2 * int(match[1]) - (match[2] == 'tanh') + offset}"
        return name if flat else "ssr_G_model", f"{name}/{weight}"
    head = "ssr_F_Cap_model" if aggregation == "capsule" else "ssr_F_model"
    if match := re.match(r"stage(\d)_bin_(scales|shifts)", layer):
        name = ("delta_s" if match[2] == "scales" else "local_delta_stage") + match[1]
        return name if flat else head, f"{name}/{weight}"
    mapping = 0 if "_noS_" in variant or flat else 2
    if layer in ("scoring", "stage_mapping", "shared_mapping"):
        name = {"scoring": f"conv2d_{7 + offset}", "stage_mapping": f"dense_{1 + offset}"}
        return "ssr_S_model", f"{name.get(layer, f'dense_{2 + offset}')}/{weight}"
    match = re.match(r"stage(\d)_(scale_features|shift_features|bin_scores)", layer)
    if flat:
        place = {"scale_features": 1, "shift_features": 2, "bin_scores": 3}[match[2]]
        name = f"dense_{3 * (int(match[1]) - 1) + place + offset}"
        return name, f"{name}/{weight}"
    return head, f"dense_{mapping + int(match[1]) + offset}/{weight}"


def legacy_arrays(model: keras.Model, offset: int = 0) -> dict[str, dict[str, np.ndarray]]:
    """The model's weights by the original's group and layer/weight."""
    groups: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    for variable in model.weights:
        group, name = released_name(variable.path, model.name, offset)
        groups[group][name] = variable.numpy()
    return groups


def write_legacy(path: Path, groups: dict[str, dict[str, np.ndarray]]) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in groups]
        for group_name, arrays in groups.items():
            group = file.create_group(group_name)
            group.attrs["weight_names"] = [f"{name}:0".encode() for name in arrays]
            for name, array in arrays.items():
                group[f"{name}:0"] = array
    return path
