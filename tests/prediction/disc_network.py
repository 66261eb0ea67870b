"""Discs instead of faces: a network that localizes them exactly, a detector, and their pictures."""

import cv2
import numpy as np

from fsanet_tf.detection.detection import Detection
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.networks.card import BOX_OFFSET, FACE_SCORE, OUTPUTS, POSE, NetworkCard

RULE = CropRule(0.29, square=True, sampling="filtered")


class DiscNetwork:
    """Finds the disc in the middle of each crop: its place, its size, and whether there is one."""

    name, image_size = "discs", 64
    card = NetworkCard(64, RULE, {name: OUTPUTS[name] for name in (POSE, BOX_OFFSET, FACE_SCORE)})

    def __init__(self):
        self.batches = []

    def predict(self, crops):
        self.batches.append(len(crops))
        rows = np.array([self._see(crop) for crop in crops], np.float32).reshape(-1, 5)
        pose = np.stack([rows[:, 4], np.zeros(len(rows)), np.zeros(len(rows))], axis=1)
        return {POSE: pose.astype(np.float32), BOX_OFFSET: rows[:, :3], FACE_SCORE: rows[:, 3]}

    def _see(self, crop):
        """x, y and logarithm of the size relative to the box, score, yaw (the brightness)."""
        side, gray = self.image_size, crop.mean(axis=2)
        y, x = np.nonzero(gray > 60)
        if len(x) < 9:
            return 0.0, 0.0, 0.0, 0.1, 0.0
        nearest = np.argmin((x - side / 2) ** 2 + (y - side / 2) ** 2)
        bright = np.abs(gray - gray[y[nearest], x[nearest]]) < 25  # the disc in the middle
        y, x = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
        center_x, center_y = (x[0] + x[-1] + 1) / 2 / side - 0.5, (y[0] + y[-1] + 1) / 2 / side - 0.5
        size = max(np.ptp(x), np.ptp(y)) + 1
        growth = np.log(size / side * (1 + 2 * RULE.margin_ratio))
        return center_x, center_y, growth, 0.9, crop[bright].mean() / 10


def draw_discs(discs, size=(240, 320)):
    """A black frame with discs: x, y of the center, diameter, brightness."""
    frame = np.zeros((*size, 3), np.uint8)
    for x, y, diameter, brightness in discs:
        center = (round(x * 16), round(y * 16))
        cv2.circle(frame, center, round(diameter * 8), (brightness,) * 3, -1, cv2.LINE_AA, 4)
    return frame


def disc_box(x, y, diameter):
    return x - diameter / 2, y - diameter / 2, x + diameter / 2, y + diameter / 2


class DiscDetector:
    """Finds the discs of a frame, whose boxes it draws a little off."""

    def __init__(self, also=()):
        self.calls = 0
        self.also = list(also)

    def __call__(self, frame):
        self.calls += 1
        _, _, stats, _ = cv2.connectedComponentsWithStats((frame[..., 0] > 60).astype(np.uint8))
        found = []
        for left, top, width, height, area in stats[1:].tolist():
            if area > 20:
                box = (left + 1, top - 1, left + width + 1, top + height - 1)
                found.append(Detection(box, 0.8))
        return found + self.also
