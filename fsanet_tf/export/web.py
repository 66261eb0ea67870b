"""The live page: a folder that any web server can serve; detection and poses run in the browser."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import keras

import fsanet_tf
from fsanet_tf.detection.assets import require_assets
from fsanet_tf.detection.detectors import (
    DETECTORS,
    FACE_DROP,
    YUNET_ASSETS,
    YUNET_DIVISOR,
    YUNET_MIN_SCORE,
    YUNET_NMS,
    YUNET_STRIDES,
    YUNET_TOP_K,
)
from fsanet_tf.drawing.poses import AXIS_COLORS, AXIS_LENGTH, BOX_COLOR, CUBE_SIDE
from fsanet_tf.export.config import ExportRequest
from fsanet_tf.export.formats import export_onnx
from fsanet_tf.export.web_runtime import copy_runtime
from fsanet_tf.io.files import write_json
from fsanet_tf.networks.keras_files import load_model
from fsanet_tf.networks.pretrained import keras_files
from fsanet_tf.prediction.smoothing import SmoothingConfig

PAGE_FILES = ("index.html", "style.css", "page.js", "headpose.js", "worker.js", "pipeline.js", "smoothing.js")
NETWORKS, YUNET_FILE, CONFIG_FILE = "networks", "networks/yunet.onnx", "headpose.json"
DETECT_EVERY = 3  # frames of live footage; docs/live.md measures what that costs


def write_web(model: keras.Model, path: Path, request: ExportRequest) -> None:
    """Write the folder: page, worker, pipeline, networks, YuNet, runtime, and the constants of all of them.

    Args:
        model: The network; the networks that it averages can be chosen on the page as well.
        path: The folder.
        request: Names the networks and, perhaps, a copy of the runtime.

    Raises:
        InputError: If YuNet or the runtime is not at hand.
    """
    (path / NETWORKS).mkdir(parents=True)
    shutil.copy(require_assets("yunet", YUNET_ASSETS)[0], path / YUNET_FILE)
    copy_runtime(path / "runtime", request.config.web_runtime)
    models = [model]
    members = keras_files(request.config.weights)
    if len(members) > 1:
        models += [load_model(member) for member in members]
    entries = []
    for network in models:
        file = f"{NETWORKS}/{network.name}.onnx"
        card = {**request.card, "variant": network.name, "uncertainty": isinstance(network.output, dict)}
        export_onnx(network, path / file, card)
        entries.append(_network_entry(network, file, (path / file).stat().st_size, card))
    for file in PAGE_FILES:
        shutil.copy(Path(__file__).parent / "web_page" / file, path / file)
    write_json(path / "card.json", request.card)
    write_json(path / CONFIG_FILE, make_config(entries))


def _network_entry(network: keras.Model, file: str, size: int, card: dict[str, Any]) -> dict[str, Any]:
    name = network.name.removeprefix("fsanet_").removesuffix("_capsule")
    keys = ("image_size", "margin_ratio", "square", "uncertainty")
    return {"name": name, "file": file, "bytes": size, **{key: card[key] for key in keys}}


def make_config(networks: list[dict[str, Any]]) -> dict[str, Any]:
    """Build `headpose.json`: the constants that the page shares with the package, from where it has them."""
    return {
        "version": fsanet_tf.__version__,
        "default_network": networks[0]["name"],
        "networks": networks,
        "detector": {
            "file": YUNET_FILE,
            "strides": YUNET_STRIDES,
            "divisor": YUNET_DIVISOR,
            "score_threshold": YUNET_MIN_SCORE,
            "nms_threshold": YUNET_NMS,
            "top_k": YUNET_TOP_K,
            "landmark_side": DETECTORS["yunet"].face_side,
            "landmark_drop": FACE_DROP,
        },
        "live": {"detect_every": DETECT_EVERY},
        "smoothing": dataclasses.asdict(SmoothingConfig()),
        "drawing": {
            "axis_colors": list(map(_css_color, AXIS_COLORS)),
            "box_color": _css_color(BOX_COLOR),
            "axis_length": AXIS_LENGTH,
            "cube_side": CUBE_SIDE,
        },
    }


def _css_color(bgr: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*reversed(bgr))
