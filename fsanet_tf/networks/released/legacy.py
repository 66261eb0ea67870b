"""The original repository's weight files (Keras 2.1 and 2.2 `.h5`), mapped by name onto our layers.

Keras 3 reads such a file by order and checks shapes only; FSA-Net's two streams have equal shapes, so
that would swap them without an error. Here every array of the file is matched by the name of its group,
layer and weight. Keras numbered layers from an offset that depended on what the process had
built before: the numbers' order tells a layer's place, the numbers themselves do not.
"""

import re
from pathlib import Path

import h5py
import keras
import numpy as np

from fsanet_tf.errors import InputError, one_line
from fsanet_tf.io.files import require_file
from fsanet_tf.models.build import build_model
from fsanet_tf.models.config import FSANetConfig, SSRNetConfig
from fsanet_tf.models.two_stream import (
    NUM_BLOCKS,
    RELU_STREAM,
    TANH_STREAM,
    stage_layer_name,
    stream_layer_name,
)

EXPECTED_RELEASED = "a weight file of the original FSA-Net (Keras 2 HDF5)"

# Layers whose names identify them without a number.
NAMED_HEAD_LAYERS = {
    **{f"delta_s{stage}": f"stage{stage}_bin_scales" for stage in (1, 2, 3)},
    **{f"local_delta_stage{stage}": f"stage{stage}_bin_shifts" for stage in (1, 2, 3)},
}
AGGREGATION_WEIGHTS = {
    "W": ("capsule", "kernel"),
    "kernel_W1": ("netvlad", "assignment_kernel"),
    "kernel_B1": ("netvlad", "assignment_bias"),
    "kernel_W2": ("netvlad", "centers"),
    "kernel_H1": ("netvlad", "projection"),
    "kernel_type1": ("metric_features", "kernel"),
    "kernel_type2": ("metric_capsules", "kernel"),
}
AGGREGATION_GROUPS = {"ssr_Cap_model": "capsule", "ssr_Agg_model": "netvlad", "ssr_Metric_model": "metric"}

Arrays = dict[tuple[str, str], np.ndarray]  # by layer path and weight name, as in our models


def load_released_weights(path: str | Path, variant: str | None = None) -> keras.Model:
    """Build the network that a released `.h5` file belongs to, with its weights.

    Args:
        path: One of the original's `fsanet_*.h5` or `ssrnet_mt.h5`, under any name.
        variant: Refuse the file unless it contains this variant.

    Returns:
        The model, as `build_model` assembles it.

    Raises:
        InputError: If the file is not HDF5, damaged, of another network, or an array is missing,
            unexpected, of a wrong shape or not finite.
    """
    path = require_file(path, EXPECTED_RELEASED)
    found = _read(path)
    config = _architecture_of(path, found)
    if variant is not None and config.name != variant:
        raise InputError(f"{path}: contains {config.name}, expected {variant}")
    model = build_model(config)
    _assign(path, model, _map_names(path, found, config))
    return model


def _read(path: Path) -> dict[tuple[str, str, str], np.ndarray]:
    """Read every array of the file, by (group, layer, weight name)."""
    arrays = {}
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            for group_name in _texts(root.attrs["layer_names"]):
                group = root[group_name]
                for weight_path in _texts(group.attrs["weight_names"]):
                    *_, layer, weight = weight_path.split("/")
                    arrays[group_name, layer, weight.removesuffix(":0")] = np.asarray(group[weight_path])
    except (OSError, KeyError, RuntimeError, ValueError, AttributeError, TypeError) as error:
        reason = one_line(error)
        raise InputError(f"{path}: expected {EXPECTED_RELEASED}, could not read it ({reason})") from error
    if not arrays:
        raise InputError(f"{path}: expected {EXPECTED_RELEASED}, received a file without weights")
    return arrays


def _texts(names) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]


def _architecture_of(
    path: Path, found: dict[tuple[str, str, str], np.ndarray]
) -> FSANetConfig | SSRNetConfig:
    groups = {group for group, _, _ in found}
    if "ssr_G_model" not in groups:
        if {"delta_s1", "local_delta_stage1"} <= groups:
            return SSRNetConfig()
        raise InputError(f"{path}: expected {EXPECTED_RELEASED}, received another network")
    aggregations = [name for group, name in AGGREGATION_GROUPS.items() if group in groups]
    if len(aggregations) != 1:
        raise InputError(
            f"{path}: expected one of the groups {', '.join(AGGREGATION_GROUPS)}, "
            f"received {', '.join(sorted(groups))}"
        )
    scoring_layers = {layer for group, layer, _ in found if group == "ssr_S_model"}
    if not scoring_layers:
        scoring = "noS"
    else:
        scoring = "1x1" if any(layer.startswith("conv2d") for layer in scoring_layers) else "var"
    return FSANetConfig(scoring, aggregations[0])


def _map_names(path: Path, found, config: FSANetConfig | SSRNetConfig) -> Arrays:
    """Return the file's arrays under our layers' names."""
    theirs = {(group, layer) for group, layer, _ in found}
    ours = {place: NAMED_HEAD_LAYERS[place[1]] for place in theirs if place[1] in NAMED_HEAD_LAYERS}

    def match(prefix: str, targets: list[str], group_pattern: str = "") -> None:
        """Match the layers `prefix`, `prefix_1` … of matching groups, by increasing number."""
        numbers: dict[tuple[str, str], int] = {}
        for group, layer in theirs:
            found_number = re.fullmatch(rf"{prefix}(?:_(\d+))?", layer)
            if found_number and re.match(group_pattern, group):
                numbers[group, layer] = int(found_number[1] or 0)
        if len(numbers) != len(targets):
            raise InputError(
                f"{path}: expected {len(targets)} layers {prefix}_N for {config.name}, found {len(numbers)}"
            )
        ours.update(zip(sorted(numbers, key=numbers.__getitem__), targets, strict=True))

    for prefix, part in (("separable_conv2d", "conv"), ("batch_normalization", "norm")):
        match(prefix, [
            stream_layer_name(stream, block, part)
            for stream in (RELU_STREAM, TANH_STREAM)
            for block in range(1, NUM_BLOCKS + 1)
        ])  # fmt: skip
    stage_convs = [stage_layer_name(s, stage) for stage in (1, 2, 3) for s in (TANH_STREAM, RELU_STREAM)]
    score_layers = [f"stage{stage}_bin_scores" for stage in (1, 2, 3)]
    if isinstance(config, SSRNetConfig):
        match("conv2d", stage_convs)
        match("dense", [
            f"stage{stage}_{part}"
            for stage in (1, 2, 3)
            for part in ("scale_features", "shift_features", "bin_scores")
        ])  # fmt: skip
    else:
        match("conv2d", stage_convs, "ssr_G_model")
        match("conv2d", ["scoring"] if config.scoring == "1x1" else [], "ssr_S_model")
        mapping = ["structure_mapping/stage_mapping", "structure_mapping/shared_mapping"]
        match("dense", [] if config.scoring == "noS" else mapping, "ssr_S_model")
        match("dense", score_layers, "ssr_F")

    arrays: Arrays = {}
    for (group, layer, weight), array in found.items():
        if weight in AGGREGATION_WEIGHTS and group in AGGREGATION_GROUPS:
            arrays[AGGREGATION_WEIGHTS[weight]] = array
        elif (group, layer) in ours:
            arrays[ours[group, layer], weight] = array
        else:
            raise InputError(f"{path}: unexpected array {group}/{layer}/{weight} for {config.name}")
    return arrays


def _assign(path: Path, model: keras.Model, arrays: Arrays) -> None:
    """Set every weight of the model; none may be missing, unexpected, of a wrong shape or not finite."""
    remaining = dict(arrays)
    new_values = []
    for variable in model.weights:
        *_, layer, weight = variable.path.split("/")
        nested = "structure_mapping/" if variable.path.startswith("structure_mapping/") else ""
        array = remaining.pop((nested + layer, weight), None)
        name = f"{nested}{layer}/{weight}"
        if array is None:
            raise InputError(f"{path}: array {name} of {model.name} is missing")
        if array.shape != tuple(variable.shape):
            raise InputError(f"{path}: {name} has shape {array.shape}, expected {tuple(variable.shape)}")
        if not np.issubdtype(array.dtype, np.floating):
            raise InputError(f"{path}: {name} contains {array.dtype}, expected floating-point numbers")
        if not np.isfinite(array).all():
            count = int(np.count_nonzero(~np.isfinite(array)))
            raise InputError(f"{path}: {count} of {array.size} values of {name} are not finite (NaN or Inf)")
        new_values.append((variable, array))
    if remaining:
        layer, weight = next(iter(remaining))
        raise InputError(f"{path}: unexpected array {layer}/{weight} for {model.name}")
    for variable, array in new_values:
        variable.assign(array)
