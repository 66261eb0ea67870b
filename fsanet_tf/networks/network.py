"""Networks as functions with named outputs, whatever file they come from."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import resize_crops
from fsanet_tf.geometry.disagreement import ErrorCalibration
from fsanet_tf.geometry.pose import mirror_poses
from fsanet_tf.io.files import require_file
from fsanet_tf.networks.card import (
    OUTPUTS,
    POSE,
    SHAPES,
    UNCERTAINTY,
    NetworkCard,
    about_mean,
    card_or_default,
    default_card,
    require_one_input,
)
from fsanet_tf.networks.pretrained import network_calibration, network_files
from fsanet_tf.networks.runtimes import FOLDER_RUNTIME, RUNTIMES, Outputs, run_keras
from fsanet_tf.options import checked
from fsanet_tf.parallel import default_threads

if TYPE_CHECKING:
    import keras

__all__ = ["Network", "load_network"]

NO_NUMBERS = "bOSU"  # kinds of NumPy's types
BATCH = 256  # crops that are converted to float32 at a time

# What `load_network` loads.
OneNetwork: TypeAlias = "str | Path | Network | keras.Model"
Networks: TypeAlias = "OneNetwork | Sequence[OneNetwork]"


@runtime_checkable
class Network(Protocol):
    """Protocol of networks, which predict named outputs from crops.

    `load_network` builds one from a file; any other object with these members can be used, too. Any number of
    threads may call `predict`.

    Attributes:
        name: Path or name by which it was loaded, for messages.
        card: Crop rule, and the meaning of the outputs.
        image_size: Side of its input in pixels.

    Example:
        >>> network = fsanet_tf.load_network("var")
        >>> outputs = network.predict(np.zeros((2, 64, 64, 3), np.float32))
        >>> outputs["pose"].shape
        (2, 3)
    """

    @property
    def name(self) -> str: ...

    @property
    def card(self) -> NetworkCard: ...

    @property
    def image_size(self) -> int: ...

    def predict(self, crops: np.ndarray, /) -> Outputs:
        """Predict the outputs of crops.

        Args:
            crops: float32 BGR `(N, image_size, image_size, 3)`, in [0, 255].

        Returns:
            float32 arrays by name: `pose` `(N, 3)`, yaw, pitch, roll in degrees, and the other outputs that
            the card names: `uncertainty_deg` `(N,)`, `box_offset` `(N, 3)`, `face_score` `(N,)`.
        """
        ...


def load_network(network: Networks, num_threads: int | None = None, trust: bool = False) -> Network:
    """Load a network by path, or a shipped one by name; several are averaged.

    A `.tflite` or `.onnx` file needs no TensorFlow.

    Args:
        network: A `.tflite`, `.onnx`, `.keras`, released `.h5`, or frozen `.pb` file, a SavedModel folder,
            one of `list_networks()`, a loaded network, a Keras model, or several of these.
        num_threads: Threads for `.tflite` and `.onnx`; default: one per core, at most four. A single face is
            predicted by one or by all of them, as was faster for the first faces. TensorFlow's threads belong
            to the whole process (`tf.config.threading`).
        trust: Load frozen graphs and SavedModels even if they contain operations other than a network's.

    Returns:
        The network; `predict` is thread-safe.

    Raises:
        InputError: If there is no such network, or the file cannot be used.
        MissingExtraError: If the runtime of the file is not installed.

    Example:
        >>> fsanet_tf.load_network("fusion").image_size
        64
    """
    if isinstance(network, Network):
        return network
    if "keras" in sys.modules and isinstance(network, sys.modules["keras"].Model):
        return _load_model(network)
    if isinstance(network, Iterable) and not isinstance(network, str):
        loaded = [load_network(member, num_threads, trust) for member in network]
        return loaded[0] if len(loaded) == 1 else Ensemble(tuple(loaded))
    files = network_files(network)
    if len(files) == 1:
        return _load_file(str(network), files[0], num_threads, trust)
    members = [_load_file(str(file), file, num_threads, trust) for file in files]
    return Ensemble(tuple(members), str(network), network_calibration(network))


@dataclasses.dataclass(frozen=True)
class FileNetwork:
    """A network in one file, or a Keras model; copies and pickles load it again.

    Attributes:
        name, card, image_size: As in `Network`.
        run: Computes the outputs.
        reload: Arguments of `load_network`.
    """

    name: str
    card: NetworkCard
    image_size: int
    run: Callable[[np.ndarray], Outputs]
    reload: tuple[Any, ...]

    def predict(self, crops: np.ndarray, /) -> Outputs:
        """Predict, as `Network.predict`; all outputs of a crop that is not finite are NaN.

        Integers do not know NaN: 8-bit files would answer with a plausible pose.
        """
        if not len(crops):  # some runtimes refuse an empty batch
            blank = self.predict(np.zeros((1, *crops.shape[1:]), np.float32))
            return {name: values[:0] for name, values in blank.items()}
        outputs = _checked(self.name, self.run(crops), len(crops))
        finite = np.isfinite(crops.sum(axis=(1, 2, 3)))
        if finite.all():
            return outputs
        rows = {name: finite.reshape(-1, *[1] * (values.ndim - 1)) for name, values in outputs.items()}
        return {name: np.where(rows[name], values, np.float32(np.nan)) for name, values in outputs.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return load_network, self.reload


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """The mean of several networks of one input size.

    Attributes:
        members: The networks.
        name: Its name; default: those of its members.
        calibration: Of the members' disagreement, which predicts `uncertainty_deg`; None: the mean of the
            members' own, if all predict one.

    Raises:
        InputError: If there are no members, or they expect different crops.
    """

    members: tuple[Network, ...]
    name: str = ""
    calibration: ErrorCalibration | None = None

    def __post_init__(self):
        names = [member.name for member in self.members]
        cards = [dataclasses.replace(member.card, image_size=member.image_size) for member in self.members]
        require_one_input(names, cards)
        if not self.name:
            object.__setattr__(self, "name", " + ".join(names))

    @property
    def image_size(self) -> int:
        return self.members[0].image_size

    @property
    def card(self) -> NetworkCard:
        shared = set.intersection(*(set(member.card.outputs) for member in self.members))
        outputs = {name: text for name, text in self.members[0].card.outputs.items() if name in shared}
        if self.calibration:
            outputs[UNCERTAINTY] = OUTPUTS[UNCERTAINTY]
        about = about_mean([member.card for member in self.members])
        return dataclasses.replace(self.members[0].card, outputs=outputs, about=about)

    def predict(self, crops: np.ndarray, /) -> Outputs:
        """Predict the mean, as `Network.predict`."""
        answers = [member.predict(crops) for member in self.members]
        shared = [name for name in answers[0] if all(name in answer for answer in answers)]
        stacked = {name: np.stack([answer[name] for answer in answers]) for name in shared}
        means = {
            name: values.mean(axis=0, dtype=np.float64).astype(np.float32) for name, values in stacked.items()
        }
        if self.calibration:
            means[UNCERTAINTY] = self.calibration.expected_error(stacked[POSE]).astype(np.float32)
        return means


@dataclasses.dataclass(frozen=True)
class Mirrored:
    """A network whose poses are averaged with those of the mirrored crops: more accurate, in twice the time.

    Attributes:
        network: The network; its other outputs are those of the crops themselves.
    """

    network: Network

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def card(self) -> NetworkCard:
        return self.network.card

    @property
    def image_size(self) -> int:
        return self.network.image_size

    def predict(self, crops: np.ndarray, /) -> Outputs:
        """Predict, as `Network.predict`."""
        outputs = self.network.predict(crops)
        mirrored = mirror_poses(self.network.predict(np.ascontiguousarray(crops[:, :, ::-1]))[POSE])
        return {**outputs, POSE: ((outputs[POSE] + mirrored) / 2).astype(np.float32)}


def _checked(network: str, outputs: Outputs, count: int) -> Outputs:
    """Return outputs as float32 arrays.

    Raises:
        InputError: If there is no pose, or an output is not one of `count` crops, or has another shape than
            its name says.
    """
    shapes = {name: (count, *SHAPES.get(name, values.shape[1:])) for name, values in outputs.items()}
    for name, shape in {POSE: (count, 3), **shapes}.items():
        values = outputs.get(name)
        if values is None or values.shape != shape or values.dtype.kind in NO_NUMBERS:
            received = ", ".join(f"{name} {values.dtype} {values.shape}" for name, values in outputs.items())
            raise InputError(f"{network}: expected an output {name} of numbers {shape}, received {received}")
    return {name: values.astype(np.float32, copy=False) for name, values in outputs.items()}


def predict_crops(network: Network, crops: np.ndarray) -> Outputs:
    """Predict any number of crops.

    Args:
        network: The network.
        crops: uint8 or float32 BGR `(N, S, S, 3)`, in [0, 255]; resized if the network expects another size.

    Returns:
        The outputs by name, as `Network.predict`.

    Raises:
        InputError: If a prediction is not finite, or has another shape than its name says.
    """
    parts = []
    for start in range(0, max(len(crops), 1), BATCH):
        batch = resize_crops(crops[start : start + BATCH], network.image_size)
        answers = network.predict(np.ascontiguousarray(batch, np.float32))
        parts.append(_checked(network.name, answers, len(batch)))
        require_finite(network.name, parts[-1], start)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def require_finite(network: str, outputs: Outputs, first_face: int = 0) -> None:
    """Raise `InputError`, with the number of the face, if a value of a network's outputs is not finite."""
    for name, values in outputs.items():
        finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
        if not finite.all():
            row = int(np.flatnonzero(~finite)[0])
            raise InputError(f"{network}: {name} of face {first_face + row} is not finite: {values[row]}")


def _load_model(model: keras.Model) -> FileNetwork:
    from fsanet_tf.networks.keras_files import make_card, pose_network

    named = pose_network(model.name, model)
    card = make_card(named, None if named.card else default_card(model.name))
    return FileNetwork(model.name, card, named.input_shape[1], run_keras(model.name, named), (named,))


def _load_file(name: str, path: Path, num_threads: int | None, trust: bool) -> FileNetwork:
    load = FOLDER_RUNTIME if path.is_dir() else RUNTIMES.get(path.suffix.lower())
    if load is None:
        raise InputError(f"{path}: expected a network: {', '.join(RUNTIMES)} or a SavedModel folder")
    if not path.is_dir():
        require_file(path, f"a network ({', '.join(RUNTIMES)})")
    threads = default_threads() if num_threads is None else checked("num_threads", int, num_threads, low=1)
    run, image_size = load(path, threads, trust)
    card = dataclasses.replace(card_or_default(path), image_size=image_size)
    loaded = FileNetwork(name, card, image_size, run, (name, num_threads, trust))
    for output, values in loaded.predict(np.zeros((1, image_size, image_size, 3), np.float32)).items():
        if not np.isfinite(values).all():
            raise InputError(
                f"{path}: expected finite outputs, received {output} {values[0]} for a blank crop"
            )
    return loaded
