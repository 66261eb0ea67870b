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
    DUPLICATE,
    FACE_DROP,
    MIN_FRAME,
    SMALL_FACE,
    YUNET_ASSETS,
    YUNET_DIVISOR,
    YUNET_MIN_SCORE,
    YUNET_NMS,
    YUNET_STRIDES,
    YUNET_TOP_K,
)
from fsanet_tf.detection.face_pose import DEFAULT_FACE_SCORE, MIN_EVIDENCE, MIN_FACE_SCORE
from fsanet_tf.detection.tracking import MIN_OVERLAP
from fsanet_tf.drawing.poses import AXIS_COLORS, AXIS_LENGTH, BOX_COLOR, CUBE_SIDE
from fsanet_tf.export.config import WEB_NETWORK
from fsanet_tf.export.formats import export_onnx
from fsanet_tf.export.web_runtime import copy_runtime
from fsanet_tf.io.files import write_json
from fsanet_tf.networks.card import NetworkCard
from fsanet_tf.networks.keras_files import make_card
from fsanet_tf.prediction.pose_tracker import FollowingConfig
from fsanet_tf.prediction.smoothing import SmoothingConfig

YUNET_FILE, CONFIG_FILE = "networks/yunet.onnx", "headpose.json"
LIVE_SIDE = 320  # longest side in pixels of the frames of live footage that the detector sees
DETECT_EVERY = 3  # frames of live footage, for networks that do not localize


def write_web(model: keras.Model, path: Path, card: NetworkCard, runtime: str | None = None) -> None:
    """Write the folder: page, worker, pipeline, networks, YuNet, runtime, and the constants of all of them.

    Args:
        model: The network; the networks that it averages can be chosen on the page as well.
        path: The folder.
        card: The card of the network.
        runtime: A copy of the runtime, as of `copy_runtime`.

    Raises:
        InputError: If YuNet or the runtime is unavailable.
    """
    (path / YUNET_FILE).parent.mkdir(parents=True)
    shutil.copy(require_assets("yunet", YUNET_ASSETS)[0], path / YUNET_FILE)
    copy_runtime(path / "runtime", runtime)
    members = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    entries = []
    for network in (model, *(members if len(members) > 1 else ())):
        file = path / WEB_NETWORK.format(network.name)
        about = {**card.about, "variant": network.name}
        own_card = dataclasses.replace(make_card(network, card), about=about)
        export_onnx(network, file, own_card)
        entries.append(_network_entry(network, file.stat().st_size, own_card))
    shutil.copytree(Path(__file__).parent / "web_page", path, dirs_exist_ok=True)
    write_json(path / "card.json", card.as_json())
    write_json(path / CONFIG_FILE, make_config(entries))


def _network_entry(network: keras.Model, size: int, card: NetworkCard) -> dict[str, Any]:
    return {
        "name": network.name.removeprefix("fsanet_").removesuffix("_capsule"),
        "file": WEB_NETWORK.format(network.name),
        "bytes": size,
        "image_size": card.image_size,
        "crop": dataclasses.asdict(card.crop),
        "outputs": list(card.outputs),
    }


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
            "face_side": DETECTORS["yunet"].face_side,
            "face_drop": FACE_DROP,
            "sides": DETECTORS["yunet"].sides,
            "min_frame": MIN_FRAME,
            "small_face": SMALL_FACE,
            "duplicate": DUPLICATE,
        },
        "live": {"detect_every": DETECT_EVERY, "side": LIVE_SIDE, "min_overlap": MIN_OVERLAP},
        "faces": {
            "min_face_score": MIN_FACE_SCORE,
            "min_evidence": MIN_EVIDENCE,
            "default_face_score": DEFAULT_FACE_SCORE,
        },
        "following": dataclasses.asdict(FollowingConfig()),
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
