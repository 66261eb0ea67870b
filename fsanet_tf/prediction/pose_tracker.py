"""Faces of a video, frame by frame: followed by the network where it localizes, else by the detector."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from fsanet_tf.detection.detection import Detection, Detector, move, overlap, scaled_box
from fsanet_tf.detection.detectors import load_detector_once, reduce_frame
from fsanet_tf.detection.face_pose import MIN_FACE_SCORE, FacePose, is_face, require_faces, with_pose
from fsanet_tf.detection.tracking import MIN_OVERLAP, Tracker
from fsanet_tf.geometry.camera import camera_matrix, mean_pose, relative_pose
from fsanet_tf.geometry.crop import Box, moved_box
from fsanet_tf.io.images import as_bgr
from fsanet_tf.networks.card import BOX_OFFSET
from fsanet_tf.networks.network import Networks
from fsanet_tf.networks.pretrained import DEFAULT
from fsanet_tf.options import checked
from fsanet_tf.prediction.predictor import PosePredictor, as_faces, load_network_once
from fsanet_tf.prediction.smoothing import PoseSmoother

__all__ = ["FollowingConfig", "PoseTracker"]

HOLD_FRAMES = 15  # for which a face is kept that the detector misses


@dataclasses.dataclass(frozen=True)
class FollowingConfig:
    """Constants of following faces by a network that localizes.

    A box follows what the network sees by a gain that grows with the move, so that noise moves it little and
    a fast face takes it along; what it moved since the last frame carries it on into the next one.

    Attributes:
        detect_every_s: Seconds after which the detector looks for new faces.
        reduced_side: Longest side in pixels of the frames it sees in between, while no face is followed.
        min_face_score: `face_score` below which the crop of a followed face shows none.
        hold_frames: Successive frames of a lower score after which a face is dropped.
        full_offset: Move of the center, as a share of the crop's side, that a box follows in full; a smaller
            one in proportion.
        full_growth: The same for the logarithm of the size.
        min_gain: Smallest share of a move that is followed.
        full_speed: Move of a face from frame to frame, as a share of its box's side, that goes on in full in
            the next frame; a smaller one in proportion.
        min_overlap: Intersection over union at which a detection is a face that is followed already.
        max_overlap: Intersection over union at which two followed faces are one; the older one stays.
    """

    detect_every_s: float = 0.5
    reduced_side: int = 640
    min_face_score: float = MIN_FACE_SCORE
    hold_frames: int = 3
    full_offset: float = 0.08
    full_growth: float = 0.3
    min_gain: float = 0.1
    full_speed: float = 0.07
    min_overlap: float = MIN_OVERLAP
    max_overlap: float = 0.4

    def damped(self, offset: Sequence[float]) -> tuple[float, float, float]:
        """Return the part of a `box_offset` by which a box moves to the next frame."""
        x, y, growth = offset
        gain = min(max(math.hypot(x, y) / self.full_offset, self.min_gain), 1.0)
        growth_gain = min(max(abs(growth) / self.full_growth, self.min_gain), 1.0)
        return gain * x, gain * y, growth_gain * growth

    def ahead(self, last: Box, box: Box) -> Box:
        """Return where a face will be in the next frame, from its boxes in the last one and in this one."""
        x, y = ((box[i] + box[i + 2] - last[i] - last[i + 2]) / 2 for i in (0, 1))
        side = math.sqrt((box[2] - box[0]) * (box[3] - box[1]))
        gain = min(math.hypot(x, y) / (self.full_speed * max(side, 1.0)), 1.0)
        return move(box, (gain * x, gain * y))


@dataclasses.dataclass
class Followed:
    """A face that the network follows.

    Attributes:
        number: Its number; 0: it was just detected.
        box: Where it will be in the next frame.
        seen: Its box in the last frame; None: it was not seen there.
        score: Of the detection in this frame; None: there is none.
        asked: Its box in the frame that the detector has seen last, if it was followed then.
        misses: Number of successive frames in which the network saw no face.
    """

    number: int
    box: Box
    seen: Box | None = None
    score: float | None = None
    asked: Box | None = None
    misses: int = 0

    @property
    def place(self) -> Box:
        """Its box in the last frame: where it was seen or, if it was not, looked for."""
        return self.seen or self.box


class PoseTracker:
    """Find the faces of successive frames, with stable numbers.

    A network that localizes follows the faces itself: its output for a frame determines the boxes in the next
    one, and the detector runs while no face is followed, and every half second to find new faces. For other
    networks it runs in each frame.

    Args:
        network, detector: As in `estimate`.
        margin_ratio, mirror: As in `PosePredictor`.
        every: Detect in every n-th frame; default: every half second where the network follows faces, else in
            each frame.
        hold_frames: Number of frames after which a lost face is dropped; default: 3 where the network follows
            faces, else 15.
        smooth: Whether to smooth the angles of each face (One Euro filter).
        field_of_view_deg: Horizontal field of view of the camera, which corrects the poses of faces away from
            the center and locates them.
        live: Whether frames come from a camera: the detector then runs in a separate thread, for which only
            the first frame waits. If not, equal frames and times yield equal results.

    Raises:
        InputError: If the network or the detector cannot be used, or an argument is out of range.

    Example:
        >>> tracker = fsanet_tf.PoseTracker("1x1", detector="haar")
        >>> frame = fsanet_tf.read_image("astronaut")
        >>> [face.track for face in tracker(frame, time_s=0.0)]
        [1]
    """

    def __init__(
        self,
        network: Networks = DEFAULT,
        detector: str | Detector = "auto",
        *,
        margin_ratio: float | None = None,
        mirror: bool = False,
        every: int | None = None,
        hold_frames: int | None = None,
        smooth: bool = False,
        field_of_view_deg: float | None = None,
        live: bool = False,
    ):
        every = None if every is None else checked("every", int, every, low=1)
        hold_frames = None if hold_frames is None else checked("hold_frames", int, hold_frames, low=0)
        self._predictor = PosePredictor(load_network_once(network), margin_ratio, mirror)
        self._detect = load_detector_once(detector)
        self._every = every
        if field_of_view_deg is not None:
            camera_matrix(field_of_view_deg, (1, 1))  # one that is out of range is refused here
        self._field_of_view_deg = field_of_view_deg
        self._smooth = PoseSmoother() if checked("smooth", bool, smooth) else None
        self._neutral_deg: np.ndarray | None = None
        self._number = 0  # of the next frame
        self._tracker = Tracker(HOLD_FRAMES if hold_frames is None else hold_frames)
        self.following = FollowingConfig()
        if hold_frames is not None:
            self.following = dataclasses.replace(self.following, hold_frames=max(hold_frames, 1))
        self._followed: list[Followed] = []
        self._count = 0  # of faces that were followed so far
        self._due_s = -math.inf
        live = checked("live", bool, live)
        self._worker = ThreadPoolExecutor(1) if live and self._predictor.localizes else None
        self._pending: Future[list[Detection]] | None = None

    def __call__(self, frame: np.ndarray, time_s: float) -> list[FacePose]:
        """Find the faces of the next frame.

        Args:
            frame: uint8 BGR `(height, width, 3)`, or grayscale `(height, width)`.
            time_s: Its time in seconds, later than the last one's.

        Returns:
            The faces with their poses; `track` numbers them, and `score` is None where the detector did not
            see them in this frame.
        """
        frame, time_s = as_bgr(frame, "frame"), checked("time_s", float, time_s)
        faces = self._follow(frame, time_s) if self._predictor.localizes else self._track_boxes(frame)
        self._number += 1
        if self._field_of_view_deg is not None:
            camera = camera_matrix(self._field_of_view_deg, frame.shape)
            faces = [face.in_camera(camera) for face in faces]
        if self._neutral_deg is not None:
            faces = [with_pose(face, relative_pose(face.pose_deg, self._neutral_deg)) for face in faces]
        return self._smooth(faces, time_s) if self._smooth else faces

    def calibrate(self, faces: Sequence[FacePose]) -> None:
        """Take the mean pose of some faces as the neutral one, relative to which later poses are returned.

        Args:
            faces: One person's faces of some frames, looking straight ahead; none: end the calibration.

        Raises:
            InputError: If these are no faces.
        """
        poses = [face.pose_deg for face in require_faces(faces)]
        self._neutral_deg = mean_pose(np.array(poses)) if poses else None

    def _track_boxes(self, frame: np.ndarray) -> list[FacePose]:
        if self._number % (self._every or 1) == 0:
            found = [face for face in self._detect(frame) if is_face(face.score)]
            detections = self._tracker.update(self._number, found)
        else:
            detections = self._tracker.at(self._number)
        return self._predictor.predict(frame, detections)

    def _follow(self, frame: np.ndarray, time_s: float) -> list[FacePose]:
        """Run the network on the boxes that the last frame leads to, and on new detections."""
        tracks = self._followed + self._match(self._detections(frame, time_s))
        kept, outputs = self._predictor.outputs(frame, [track.box for track in tracks])
        detections = [Detection(tracks[i].box, tracks[i].score) for i in kept]
        self._followed, results = [], []
        for row, face in enumerate(as_faces(detections, kept, outputs)):
            track = tracks[face.index]
            if track.number:
                is_seen = face.face_score is None or face.face_score >= self.following.min_face_score
            else:
                is_seen = is_face(face.score, face.face_score)
            if is_seen:
                offset = self.following.damped(outputs[BOX_OFFSET][row].tolist())
                box = moved_box(face.box, self._predictor.crop_rule, offset)
                track.box = self.following.ahead(track.seen, box) if track.seen else box
                track.seen = box
            else:
                track.seen = None
            track.misses = 0 if is_seen else track.misses + 1
            is_second = any(
                overlap(track.place, f.place) > self.following.max_overlap for f in self._followed
            )
            if is_second or track.misses >= (self.following.hold_frames if track.number else 1):
                continue
            if not track.number:
                self._count += 1
                track.number = self._count
            self._followed.append(track)
            results.append(dataclasses.replace(face, box=track.place, track=track.number))
        return results

    def _match(self, found: Sequence[Detection]) -> list[Followed]:
        """Give followed faces the scores of their detections; return the other detections.

        The boxes of followed faces stay: those of a detector jump, and with them the poses.
        """
        for track in self._followed:
            track.score = None
        fresh = []
        for face in found:
            # A box is compared where the face is now, and where it was when the detector was asked.
            shares = [
                max(overlap(box, face.box) for box in (track.box, track.asked or track.box))
                for track in self._followed
            ]
            if max(shares, default=0.0) >= self.following.min_overlap:
                self._followed[shares.index(max(shares))].score = face.score
            else:
                fresh.append(Followed(0, face.box, score=face.score))
        return fresh

    def _detections(self, frame: np.ndarray, time_s: float) -> list[Detection]:
        """Return what the detector has found, if it was its turn or no face is followed."""
        due = time_s >= self._due_s if self._every is None else self._number % self._every == 0
        if self._pending is None and not due and self._followed:
            return []
        if due:
            step = self.following.detect_every_s
            self._due_s = (math.floor(time_s / step) + 1) * step
        if self._pending is None:
            for track in self._followed:
                track.asked = track.box
        if self._worker is None:
            return self._detect(frame) if due else self._detect_reduced(frame)
        if self._pending is None:
            self._pending = self._worker.submit(self._detect, frame.copy())
        if self._number and not self._pending.done():
            return []
        found, self._pending = self._pending.result(), None
        return found

    def _detect_reduced(self, frame: np.ndarray) -> list[Detection]:
        reduced = reduce_frame(frame, self.following.reduced_side)
        scale = max(frame.shape[:2]) / max(reduced.shape[:2])
        return [face._replace(box=scaled_box(face.box, scale)) for face in self._detect(reduced)]
