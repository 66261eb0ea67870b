"""From a frame and face boxes to poses: every face by the one crop, all of them in one batch."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fsanet_tf.detection.detection import Detection, require_detections
from fsanet_tf.detection.face_pose import FacePose
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import Box, crop_face, moved_box, require_box
from fsanet_tf.io.images import as_bgr
from fsanet_tf.networks.card import BOX_OFFSET, FACE_SCORE, POSE, UNCERTAINTY
from fsanet_tf.networks.network import Mirrored, Network, Networks, load_network, predict_crops
from fsanet_tf.networks.pretrained import DEFAULT
from fsanet_tf.options import checked

__all__ = ["PosePredictor"]

MAX_REFINE = 2  # corrections of a box; further ones change nothing

_load_named = functools.lru_cache(maxsize=8)(load_network)


def load_network_once(network: Networks) -> Network:
    """Load a network as `load_network`; those given by name or path are kept for the next call."""
    return _load_named(str(network)) if isinstance(network, str | Path) else load_network(network)


class PosePredictor:
    """Predict the head poses of the faces in a frame.

    Any number of threads may share one. Copies and pickles load their network again.

    Args:
        network: As for `load_network`: a path, one of `list_networks()`, a loaded network or Keras model, or
            several, which are averaged.
        margin_ratio: Share of the face box added on each side; default: the network's own.
        mirror: Average with the predictions for mirrored crops: more accurate, but takes twice as long.
        refine: How often, 0 to 2, a box is corrected by the network before the pose is predicted; ignored by
            networks that do not localize.

    Raises:
        InputError: If there is no such network, or the file cannot be used.

    Example:
        >>> frame = fsanet_tf.read_image("photo.jpg")
        >>> detect = fsanet_tf.make_detector("haar")
        >>> faces = fsanet_tf.PosePredictor().predict(frame, detect(frame))
    """

    def __init__(
        self,
        network: Networks = DEFAULT,
        margin_ratio: float | None = None,
        mirror: bool = False,
        refine: int = 0,
    ):
        self.network = load_network(network)
        self.mirror = checked("mirror", bool, mirror)
        self.refine = checked("refine", int, refine, low=0, high=MAX_REFINE)
        self.localizes = BOX_OFFSET in self.network.card.outputs
        self.crop_rule = self.network.card.crop
        if margin_ratio is not None:
            self.crop_rule = dataclasses.replace(self.crop_rule, margin_ratio=margin_ratio)

    def __reduce__(self) -> tuple[Any, ...]:
        return PosePredictor, (self.network, self.crop_rule.margin_ratio, self.mirror, self.refine)

    def predict(self, frame: np.ndarray, faces: Sequence[Detection]) -> list[FacePose]:
        """Predict the poses of all faces of a frame, in one batch.

        Args:
            frame: uint8 BGR `(height, width, 3)`, or grayscale `(height, width)`, in [0, 255].
            faces: Detections. Those outside of the frame are left out; the `index` of each result is the
                position of its detection.

        Returns:
            Faces with poses as their crops show them, as in the datasets, in the order of the detections;
            `FacePose.in_camera` corrects those away from the center.

        Raises:
            InputError: If the frame or a detection is invalid, or a prediction is not finite.
        """
        faces = require_detections("faces", faces)
        boxes = [face.box for face in faces]
        for _ in range(self.refine if self.localizes else 0):
            boxes = self.corrected(frame, boxes)
        kept, outputs = self.outputs(frame, boxes)
        return as_faces([faces[i]._replace(box=boxes[i]) for i in kept], kept, outputs)

    def outputs(
        self, frame: np.ndarray, boxes: Sequence[Box], mirror: bool | None = None
    ) -> tuple[list[int], dict[str, np.ndarray]]:
        """Crop face boxes and run the network on them.

        Args:
            frame: As in `predict`.
            boxes: Face boxes.
            mirror: In place of the predictor's own.

        Returns:
            The positions of the boxes that lie in the frame, and the network's outputs for these.
        """
        kept, crops = self.crop(frame, boxes)
        mirror = self.mirror if mirror is None else mirror
        return kept, predict_crops(Mirrored(self.network) if mirror else self.network, crops) if kept else {}

    def corrected(self, frame: np.ndarray, boxes: Sequence[Box]) -> list[Box]:
        """Move face boxes to where the network, which must localize, sees the faces."""
        moved = list(boxes)
        kept, outputs = self.outputs(frame, boxes, mirror=False)
        for row, i in enumerate(kept):
            moved[i] = moved_box(boxes[i], self.crop_rule, outputs[BOX_OFFSET][row].tolist())
        return moved

    def crop(self, frame: np.ndarray, boxes: Sequence[Box]) -> tuple[list[int], np.ndarray]:
        """Crop the face boxes that lie in the frame.

        Returns:
            The positions of the boxes that remain, and their crops, float32 `(N, size, size, 3)`.

        Raises:
            InputError: If the frame or a box is invalid.
        """
        frame = as_bgr(frame, "frame")
        size = self.network.image_size
        kept, crops = [], []
        for index, box in enumerate(boxes):
            require_box(box)
            try:
                crops.append(crop_face(frame, box, self.crop_rule, size))
            except InputError:  # it lies outside of the frame
                continue
            kept.append(index)
        return kept, np.array(crops, np.float32).reshape(-1, size, size, 3)


def as_faces(
    detections: Sequence[Detection], indices: Sequence[int], outputs: dict[str, np.ndarray]
) -> list[FacePose]:
    """Combine detections with a network's outputs for them, a row each."""
    faces = []
    for row, (face, index) in enumerate(zip(detections, indices, strict=True)):
        yaw, pitch, roll = outputs[POSE][row].tolist()
        error, score = (
            float(outputs[name][row]) if name in outputs else None for name in (UNCERTAINTY, FACE_SCORE)
        )
        faces.append(FacePose(face.box, face.score, yaw, pitch, roll, face.track, index, error, score))
    return faces
