"""The card in a network's file: how to crop, the input's size, the outputs, where it comes from.

Every format contains the card: `.keras` in its configuration, `.onnx` and `.tflite` in their metadata, a
SavedModel in `assets.extra/card.json`, a frozen graph in a constant. Files of version 0.3 have it next to
them as `.json`.
"""

from __future__ import annotations

import dataclasses
import json
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fsanet_tf.errors import InputError, one_line
from fsanet_tf.geometry.crop import LANDMARK_CROP, CropRule
from fsanet_tf.io.files import library_path

POSE, UNCERTAINTY, BOX_OFFSET, FACE_SCORE = "pose", "uncertainty_deg", "box_offset", "face_score"
OUTPUTS = {
    POSE: "(N, 3) yaw, pitch, roll in degrees, signs of 300W-LP",
    UNCERTAINTY: "(N,) expected geodesic error of the pose in degrees",
    BOX_OFFSET: "(N, 3) x and y of the face's center as shares of the crop's side, from its center, and the "
    "logarithm of the face's size relative to the box that was cropped",
    FACE_SCORE: "(N,) probability in [0, 1] that the crop shows a face",
}
BOX = "the smallest box around the visible landmarks of the face: left, top, right, bottom in pixels"
CARD_KEY = "fsanet_tf.card"  # of the metadata of .onnx and .tflite files, and the name of a graph's constant
# Shapes of the outputs of one crop.
SHAPES: dict[str, tuple[int, ...]] = {POSE: (3,), UNCERTAINTY: (), BOX_OFFSET: (3,), FACE_SCORE: ()}
DAMAGED = (ValueError, KeyError, TypeError, RecursionError, OSError, zipfile.BadZipFile)


@dataclasses.dataclass(frozen=True)
class NetworkCard:
    """The card of a network.

    Attributes:
        image_size: Side of the square input in pixels; None: the file's own.
        crop: How faces are cut out of pictures for it.
        outputs: Meaning of each output, by name.
        about: Anything else, as JSON represents it: variant, version, training, labels.
    """

    image_size: int | None = None
    crop: CropRule = LANDMARK_CROP
    outputs: Mapping[str, str] = dataclasses.field(default_factory=lambda: {POSE: OUTPUTS[POSE]})
    about: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the card as JSON represents it."""
        return {
            **self.about,
            "input": self.input_description(),
            "image_size": self.image_size,
            "box": BOX,
            "crop": dataclasses.asdict(self.crop),
            "outputs": dict(self.outputs),
        }

    def input_description(self) -> str:
        """Return what a network takes."""
        side = self.image_size or "image_size"
        return f"float32 (N, {side}, {side}, 3), BGR, 0 to 255"

    def description(self) -> str:
        """Return one line for the standard description of a file."""
        name = self.about.get("variant", "head pose network")
        return f"{name}: {', '.join(self.outputs)} of a face crop ({self.crop}), {self.input_description()}"

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> NetworkCard:
        """Build a card from what `as_json` returned, or from a card of version 0.3.

        Raises:
            InputError: If the crop rule, the outputs or the size are invalid.
        """
        about = {key: value for key, value in content.items() if key not in CARD_FIELDS}
        rule = content.get("crop") or {
            key: content[key] for key in CROP_FIELDS if content.get(key) is not None
        }
        if not isinstance(rule, Mapping) or (content and "margin_ratio" not in rule):
            raise InputError(f"crop: expected {', '.join(CROP_FIELDS)}, received {rule}")
        crop = dataclasses.replace(LANDMARK_CROP, **{key: rule[key] for key in CROP_FIELDS if key in rule})
        outputs, size = content.get("outputs") or {POSE: OUTPUTS[POSE]}, content.get("image_size")
        if not isinstance(outputs, Mapping) or not isinstance(size, int | None):
            raise InputError(f"outputs, image_size: expected names and a number, received {outputs}, {size}")
        return cls(size, crop, outputs, about)


def about_mean(members: Sequence[NetworkCard]) -> Mapping[str, Any]:
    """Return what the card of a mean says of it: what its members' say, or all of these if they differ."""
    abouts = [card.about for card in members]
    return abouts[0] if all(about == abouts[0] for about in abouts) else {"members": abouts}


def require_one_input(names: Iterable[str], members: Sequence[NetworkCard]) -> None:
    """Raise `InputError` unless there are networks to average, of one size and one crop."""
    if not members:
        raise InputError("network: expected at least one, received none")
    if len({(card.image_size, card.crop) for card in members}) > 1:
        received = ", ".join(
            f"{name}: {card.image_size} pixels, {card.crop}"
            for name, card in zip(names, members, strict=True)
        )
        raise InputError(f"network: expected networks of one input, received {received}")


CROP_FIELDS = tuple(field.name for field in dataclasses.fields(CropRule))
CARD_FIELDS = ("input", "image_size", "box", "crop", "outputs", "output", *CROP_FIELDS)


def read_card(path: Path) -> NetworkCard | None:
    """Read the card of a network from its file, or from the `.json` next to a file of version 0.3.

    Returns:
        The card; None if the file does not have one.

    Raises:
        InputError: If the card is damaged.
    """
    next_to_it = path.with_suffix(".json")
    try:
        content = _embedded(path)
        if content is None and path.is_file() and next_to_it.exists():
            content = json.loads(next_to_it.read_text(encoding="utf-8"))
        if content is None:
            return None
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        return NetworkCard.from_json(content)
    except DAMAGED as error:
        reason = one_line(error)
        raise InputError(f"{path}: expected the card of a network, could not read it ({reason})") from error


def card_or_default(path: Path) -> NetworkCard:
    """Read the card of a network; warn about the crop that is assumed if there is none.

    Weight files of the original (`.h5`) need no card: their crop is the original's.

    Raises:
        InputError: If the card is damaged.
    """
    card = read_card(path)
    if card is None and path.suffix.lower() not in (".h5", ".hdf5"):
        return default_card(path)
    return card or NetworkCard()


def default_card(network: str | Path) -> NetworkCard:
    """Return the card of a network that has none; warn about the crop that is assumed."""
    card = NetworkCard()
    warnings.warn(f"{network}: does not say how to crop faces, assuming {card.crop}", stacklevel=4)
    return card


def _embedded(path: Path) -> Any:
    """Return the JSON in a network's file; None if there is none."""
    if path.is_dir():
        file = path / "assets.extra" / "card.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    read = READERS.get(path.suffix.lower())
    return read(path) if read else None


def _in_keras(path: Path) -> Any:
    if not zipfile.is_zipfile(path):  # the loader says what is wrong with it
        return None
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json")).get("config", {}).get("card")


def _in_tflite(path: Path) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    try:
        model = schema.Model.GetRootAs(content, 0)
        entries = [model.Metadata(i) for i in range(model.MetadataLength())]
        for entry in entries:
            if entry.Name() == CARD_KEY.encode():
                return json.loads(model.Buffers(entry.Buffer()).DataAsNumpy().tobytes())
    except Exception:  # flatbuffers checks nothing; the loader says what is wrong with the file
        return None
    return None


def onnx_session(path: Path) -> Any:
    """Open an `.onnx` file with ONNX Runtime, each call of which takes one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    with library_path(path) as name:
        return onnxruntime.InferenceSession(name, options, providers=["CPUExecutionProvider"])


def _in_onnx(path: Path) -> Any:
    try:
        found = onnx_session(path).get_modelmeta().custom_metadata_map
    except Exception:  # ONNX Runtime's errors have no common base; the loader says what is wrong or missing
        return None
    if CARD_KEY in found:
        return json.loads(found[CARD_KEY])
    if "margin_ratio" not in found:
        return None
    return {key: _json_or_text(value) for key, value in found.items()}  # version 0.3: an entry per field


def _json_or_text(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _in_frozen_graph(path: Path) -> Any:
    try:
        from google.protobuf.message import DecodeError
        from tensorflow.core.framework import graph_pb2
    except ModuleNotFoundError:  # the loader names the extra
        return None
    try:
        graph = graph_pb2.GraphDef.FromString(path.read_bytes())
    except DecodeError:  # the loader says what is wrong with the file
        return None
    for node in graph.node:
        if node.name == CARD_KEY:
            return json.loads(node.attr["value"].tensor.string_val[0])
    return None


READERS = {".keras": _in_keras, ".tflite": _in_tflite, ".onnx": _in_onnx, ".pb": _in_frozen_graph}
