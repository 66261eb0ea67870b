"""`fsanet predict photo.jpg`: head poses on photos, folders, videos and webcams."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from fsanet_tf.commands.command_line import Command
from fsanet_tf.commands.signals import finish_on_signals
from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.drawing.faces import face_numbers
from fsanet_tf.drawing.poses import write_text
from fsanet_tf.errors import InputError, OptionError, reason_of
from fsanet_tf.io.files import printable_name, require_other_files
from fsanet_tf.io.folders import describe_skipped
from fsanet_tf.io.images import read_image, write_image
from fsanet_tf.networks.network import load_network
from fsanet_tf.prediction.config import PredictionConfig
from fsanet_tf.prediction.estimate import FaceFinder
from fsanet_tf.prediction.predictor import PosePredictor
from fsanet_tf.prediction.sinks import (
    FileSink,
    TableSink,
    TimeSequence,
    VideoSink,
    default_output,
    drawing_path,
)
from fsanet_tf.prediction.sources import Frame, Photos, find_photos
from fsanet_tf.prediction.track import TrackedVideo, track

RATE_FRAMES = 20  # over which the displayed frame rate is averaged
MAX_REASONS = 20  # of a video that are printed


def run(config: PredictionConfig) -> None:
    """Predict, printing a line per photo."""
    photos = find_photos(config.source, config.recursive)
    tables: list[FileSink] = []
    if config.csv:
        tables.append(TableSink(config.csv, "csv"))
    if config.json:
        tables.append(TableSink(config.json, "json"))
    if config.time_sequence:
        if photos:
            raise OptionError("time_sequence", "expected a video, received photos")
        tables.append(TimeSequence(config.time_sequence))
    networks = filter(os.path.exists, config.network)
    sources = [Path(config.source), *map(Path, networks), *(photos.paths if photos else [])]
    outputs = [table.path for table in tables]
    output = None
    if config.draw:
        output = Path(config.output) if config.output else default_output(config.source, photos)
        outputs.append(output)
    if photos and output:
        drawings = (drawing_path(photos, photo, output) for photo in photos.paths)
        outputs += [drawing for drawing in drawings if drawing != output]
    elif output:
        VideoSink(output, 1.0)  # reports an unknown format before anything is loaded
    require_other_files(sources, outputs)
    source = printable_name(config.source)
    network = load_network(config.network, trust=config.trust)
    rates = _frame_rates() if config.show_rate and not photos else None
    display = Display(config.style, config.show_uncertainty, rates, config.show)
    if photos:
        predictor = PosePredictor(network, config.margin_ratio, config.mirror, config.refine)
        detect = make_detector(config.detector)
        finder = FaceFinder(predictor, detect, config.any_orientation, config.field_of_view_deg)
        reasons = _predict_photos(photos, finder, display, output, tables)
    else:
        frames = track(
            config.source,
            network,
            config.detector,
            margin_ratio=config.margin_ratio,
            mirror=config.mirror,
            every=config.every,
            hold_frames=config.hold_frames,
            smooth=config.smooth,
            field_of_view_deg=config.field_of_view_deg,
        )
        reasons = _predict_video(frames, source, display, output, tables)
    if reasons:
        raise InputError(f"{source}: not all could be done ({len(reasons)} left out)")


@dataclasses.dataclass
class Display:
    """How frames are drawn, and whether a window shows them.

    Attributes:
        style, show_uncertainty: As for `Frame.draw`.
        rates: Frames per second, which are written into the drawings; None: they are not.
        has_window: Whether a window shows them.
    """

    style: str
    show_uncertainty: bool
    rates: Iterator[float] | None
    has_window: bool

    def draw(self, frame: Frame) -> np.ndarray:
        """Return a copy of the image with the faces drawn."""
        drawn = frame.draw(self.style, self.show_uncertainty)
        if self.rates:
            write_text(drawn, f"{next(self.rates):.0f} frames/s", (6, 20), 14)
        return drawn

    def show(self, image: np.ndarray, wait_ms: int) -> bool:
        """Show an image in the window, if there is one; return whether q was pressed."""
        if not self.has_window:
            return False
        try:
            cv2.imshow("fsanet_tf", image)
        except cv2.error as error:
            raise OptionError("show", "there is no display to show a window on") from error
        return cv2.waitKey(wait_ms) & 0xFF == ord("q")


def _predict_photos(
    photos: Photos, finder: FaceFinder, display: Display, output: Path | None, tables: list[FileSink]
) -> list[str]:
    """Do each photo, and say what became of each; return what was left out and why."""
    reasons: list[str] = []
    done = failed = 0
    with finish_on_signals() as signals:
        with Attached(tables, reasons) as attached:
            for photo in tqdm(photos.paths, unit="photo", disable=len(photos.paths) == 1):
                name = printable_name(photo)
                try:
                    image = read_image(photo)
                    frame = Frame(photos.name(photo), 0.0, image, finder.find(image))
                except Exception as error:  # whatever a decoder or detector raises, the other photos are done
                    if len(photos.paths) == 1:
                        raise InputError(_reason(name, error)) from error
                    reasons.append(_reason(name, error))
                    failed += 1
                    continue
                attached.write(frame)
                for line in describe(name, frame):
                    print(line, flush=True)
                try:
                    drawn = display.draw(frame) if output or display.has_window else image
                    if output:
                        write_image(drawing_path(photos, photo, output), drawn)
                    done += 1
                except Exception as error:
                    reasons.append(_reason(name, error))
                    failed += 1
                    drawn = image
                if signals or display.show(drawn, wait_ms=0):
                    break
        if len(photos.paths) == 1 and reasons:
            raise InputError("; ".join(reasons))
        _print_left_out(reasons)
        if photos.folder:
            text = f"{printable_name(photos.folder)}: {done} photos done, {failed} left out"
            if missing := len(photos.paths) - done - failed:
                text += f", {missing} not begun"
            print(text + describe_skipped(photos.skipped))
        if output and done:
            print(f"drawn: {printable_name(output)}")
    return reasons


def _print_left_out(reasons: Iterable[str]) -> None:
    for reason in reasons:
        print(f"left out: {reason}")


def _predict_video(
    frames: TrackedVideo, source: str, display: Display, output: Path | None, tables: list[FileSink]
) -> list[str]:
    """Do each frame; return what was left out and why."""
    reasons: list[str] = []
    videos: list[FileSink] = [VideoSink(output, frames.rate)] if output else []
    with finish_on_signals(frames.stop) as signals:
        with (
            Attached(tables, reasons) as attached,
            Attached(videos, reasons) as video,
            tqdm(total=frames.length, unit="frame") as progress,
        ):
            while not signals:
                try:
                    frame = next(frames)
                    attached.write(frame)
                    drawn = display.draw(frame) if output or display.has_window else None
                except StopIteration:
                    break
                except Exception as error:  # whatever a detector raises, the other frames are done
                    reasons.append(f"frame {progress.n}: {_reason(source, error)}")
                    progress.update()
                    continue
                progress.update()
                if drawn is not None:
                    video.write(drawn)
                    if display.show(drawn, wait_ms=1):
                        break
            if reasons and len(reasons) == progress.n:
                raise InputError(reasons[0])
        if signals:
            print("stopped; keeping what was drawn")
        if frames.missing and frames.length is None:  # a camera that has ended
            print(frames.missing)
        elif frames.missing:
            reasons.append(frames.missing)
        _print_left_out(reasons[:MAX_REASONS])
        if output and not video.failed:
            print(f"drawn: {printable_name(output)}")
    return reasons


class Attached:
    """Context manager for sinks of which one that fails does not end the others.

    Args:
        sinks: The sinks.
        reasons: Receives the reasons of those that failed.

    Attributes:
        failed: Whether one did.
    """

    def __init__(self, sinks: Iterable[FileSink], reasons: list[str]):
        self._sinks: list[Any] = list(sinks)
        self._reasons = reasons
        self.failed = False

    def __enter__(self) -> Attached:
        with contextlib.ExitStack() as entered:
            for sink in self._sinks:
                entered.enter_context(sink)
            entered.pop_all()
        return self

    def write(self, item: Frame | np.ndarray) -> None:
        """Write to each sink."""
        for sink in list(self._sinks):
            try:
                sink.write(item)
            except (InputError, OSError, cv2.error) as error:
                self._sinks.remove(sink)
                self._close(sink, error)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, OSError):  # nobody reads standard output any more: what was done is kept
            error = None
        with contextlib.ExitStack() as closed:  # each, also if another one is interrupted
            for sink in reversed(self._sinks):
                closed.callback(self._close, sink, error)

    def _close(self, sink: FileSink, error: BaseException | None) -> None:
        try:
            sink.__exit__(type(error) if error else None, error, None)
        except (InputError, OSError, cv2.error) as problem:
            error = problem
        if isinstance(error, InputError | OSError | cv2.error):
            self._reasons.append(_reason(printable_name(sink.path), error))
            self.failed = True


def describe(name: str, frame: Frame) -> list[str]:
    """Describe the faces of a photo, one line each, numbered as in the drawing."""
    if not frame.faces:
        return [f"{name}: no face found"]
    return [
        f"{name}{f', face {number}' if number else ''}: "
        f"yaw {face.yaw:+.1f}°  pitch {face.pitch:+.1f}°  roll {face.roll:+.1f}°"
        for number, face in zip(face_numbers(frame.faces), frame.faces, strict=True)
    ]


def _reason(name: str, error: BaseException) -> str:
    """Describe an error in one line that names the file."""
    text = reason_of(error)
    return text if name in text else f"{name}: {text}"


def _frame_rates() -> Iterator[float]:
    """Frames per second, averaged over the last frames."""
    times = deque([time.perf_counter()], RATE_FRAMES)
    while True:
        times.append(time.perf_counter())
        yield (len(times) - 1) / (times[-1] - times[0])


COMMAND = Command(
    "predict",
    "Estimate and draw the head poses of a photo, a folder of photos, a video or a webcam.",
    run=run,
    config=PredictionConfig,
    positional="source",
)
