"""Configurations: checks in the caller's words, defaults and meanings from the field."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from fsanet_tf.detection.detection import Detection
from fsanet_tf.detection.face_pose import FacePose
from fsanet_tf.drawing.faces import draw_faces
from fsanet_tf.errors import InputError, OptionError
from fsanet_tf.geometry.camera import camera_matrix
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.geometry.pose import poses_from_rotations
from fsanet_tf.io.images import read_image, write_image
from fsanet_tf.networks.network import load_network
from fsanet_tf.options import configuration, option, options_of
from fsanet_tf.prediction.pose_tracker import PoseTracker
from fsanet_tf.prediction.predictor import PosePredictor
from fsanet_tf.prediction.sinks import TableSink, TimeSequence, VideoSink
from fsanet_tf.registry import EXTENSIONS_VARIABLE, Registry, register
from fsanet_tf.training.config import TrainingConfig

EXTENSION_HINT = f" (an extension? {EXTENSIONS_VARIABLE} names its file)"

COLORS = Registry("color", {"red": 1, "blue": 2})


@configuration
class Paint:
    """How to paint.

    Example:
        >>> Paint("wall").layers
        2
    """

    target: str = option(meaning="What to paint.")
    layers: int = option(2, "Number of layers.", low=1, high=9)
    color: object = option("red", "Its color.", choices=COLORS)
    tools: tuple[str, ...] = option((), "Tools.", choices=("brush", "roller"))
    thickness: float | None = option(None, "Millimeters.", low=0.0)
    dry: bool = option(True, "Whether to wait.")

    def __post_init__(self):
        if self.layers == 8:
            raise OptionError("layers", "expected another number, received 8")


def test_values_get_the_type_of_their_field():
    paint = Paint(Path("wall"), np.int64(3), tools="brush", thickness=np.float32(0.5))
    assert (paint.target, paint.layers, paint.tools, paint.thickness) == ("wall", 3, ("brush",), 0.5)
    assert type(paint.layers) is int and type(paint.thickness) is float
    paint = Paint("wall", np.array(4), tools=np.array(["brush", "roller"]), dry=np.False_)
    assert (paint.layers, paint.tools, paint.dry) == (4, ("brush", "roller"), False)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float16, np.float64, np.array])
def test_numbers_of_numpy_are_numbers_wherever_arguments_take_them(kind, tmp_path):
    rule = CropRule(kind(1), square=np.True_)
    assert rule == CropRule(1, True) and type(rule.margin_ratio) is float
    assert camera_matrix(kind(90), (480, 640))[0, 0] == 320
    VideoSink(tmp_path / "v.mp4", kind(25))
    box, frame = (kind(20), kind(10), kind(200), kind(250)), np.zeros((300, 300, 3), np.uint8)
    ((face,), (same,)) = (
        PosePredictor("1x1", margin_ratio=margin).predict(frame, [Detection(edges, 1)])
        for margin, edges in ((kind(1), box), (1, (20, 10, 200, 250)))
    )
    assert face == same and json.dumps(dataclasses.asdict(face))


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.array])
def test_whole_numbers_of_numpy_are_whole_numbers(kind):
    PoseTracker("1x1", "haar", every=kind(1), hold_frames=kind(0), margin_ratio=kind(1))
    assert PosePredictor("1x1", refine=kind(1)).refine == 1
    assert load_network("1x1", num_threads=kind(1)).image_size == 64
    with pytest.raises(OptionError, match="num_threads: expected a whole number of at least 1, received 0"):
        load_network("1x1", num_threads=kind(0))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layers": 0}, "layers: expected a whole number from 1 to 9, received 0"),
        ({"layers": 1.5}, "layers: expected a whole number, received 1.5"),
        ({"layers": True}, "layers: expected a whole number, received True"),
        ({"layers": None}, "layers: expected a whole number, received None"),
        ({"layers": 8}, "layers: expected another number, received 8"),
        ({"color": "green"}, f"color: expected one of red, blue, received green{EXTENSION_HINT}"),
        ({"tools": ["brush", "sponge"]}, "tools: expected one of brush, roller, received sponge"),
        ({"thickness": -1}, "thickness: expected a number of at least 0, received -1"),
        ({"thickness": float("nan")}, "thickness: expected a number of at least 0, received nan"),
        ({"dry": "yes"}, "dry: expected true or false, received 'yes'"),
        ({"target": 3}, "target: expected a text, received 3"),
    ],
)
def test_an_invalid_value_is_one_line_that_names_the_option(values, message):
    with pytest.raises(InputError) as raised:
        Paint(**{"target": "wall", **values})
    assert str(raised.value) == message
    assert isinstance(raised.value, OptionError)


def test_an_object_stands_for_a_name_of_a_registry():
    assert Paint("wall", color=len).color is len
    assert COLORS.find(len) is len and COLORS.find("blue") == 2
    with pytest.raises(OptionError, match=r"color: expected one of .*, or an object like those, received 3"):
        Paint("wall", color=3)


def test_the_docstring_lists_the_options_before_the_example():
    text = Paint.__doc__
    assert text.index("layers: Number of layers.") < text.index("Example:")
    assert list(options_of(Paint)) == ["target", "layers", "color", "tools", "thickness", "dry"]


@pytest.mark.parametrize(("options", "said"), [
    ({"metrics": (3,)}, "metrics: expected one of .*, or an object like those, received 3"),
    ({"augmentation": {"mirror": 2}}, r"augmentation: expected AugmentationConfig, received \{'mirror': 2\}"),
    ({"data": ()}, "data: expected at least one, received none"),
])  # fmt: skip
def test_what_no_call_could_use_is_refused_when_the_configuration_is_made(options, said):
    with pytest.raises(OptionError, match=said):
        TrainingConfig(**{"data": "faces.npz", "output_dir": "run", **options})


FACE = FacePose((0, 0, 9, 9), 0.9, 0.0, 0.0, 0.0)
IMAGE = np.zeros((9, 9, 3), np.uint8)


@pytest.mark.parametrize(("call", "said"), [
    (lambda: camera_matrix(70, IMAGE), "image_shape: expected height and width"),
    (lambda: camera_matrix(70, 640), "image_shape: expected height and width, received 640"),
    (lambda: draw_faces(IMAGE, FACE), "faces: expected a list of FacePose"),
    (lambda: draw_faces(IMAGE, [Detection((0, 0, 9, 9), 1.0)]), "faces: expected a list of FacePose"),
    (lambda: draw_faces(IMAGE, [], "cubes"), "style: expected one of axes, cube, both, received cubes"),
    (lambda: draw_faces(None, []), "image: expected"),
    (lambda: PoseTracker("1x1", "haar").calibrate(3), "faces: expected a list of FacePose"),
    (lambda: poses_from_rotations([[1, 2], [3]]), "rotations: expected an array"),
    (lambda: register(["loss"], "x"), "kind: expected one of"),
    (lambda: read_image(None), "path: expected a text"),
    (lambda: write_image(None, IMAGE), "path: expected a text"),
])  # fmt: skip
def test_arguments_that_cannot_be_are_one_line(call, said):
    with pytest.raises(InputError, match=said):
        call()


def test_sinks_take_frames_only(tmp_path):
    with TableSink(tmp_path / "t.csv") as table, TimeSequence(tmp_path / "t.png") as plot:
        for sink in (table, plot):
            with pytest.raises(InputError, match="frame: expected a Frame, as track yields, received list"):
                sink.write([FACE])
