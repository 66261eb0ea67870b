"""A page on this machine: drop a photo or use the webcam, see axes and numbers: `python demo/web.py`.

It listens on 127.0.0.1 alone, sends nothing anywhere, and needs no network.
"""

import functools
import os

import cv2
import numpy as np
from absl import flags

from demo.faces import draw_faces
from demo.sources import astronaut
from fsanet_tf.command_line import run
from fsanet_tf.detectors import DETECTORS, make_detector
from fsanet_tf.drawing import STYLES
from fsanet_tf.errors import InputError
from fsanet_tf.predictor import PosePredictor
from fsanet_tf.pretrained import FUSION, shipped_networks

HEADERS = ["face", "yaw (°)", "pitch (°)", "roll (°)"]

predictor = functools.lru_cache(PosePredictor)
detector = functools.lru_cache(make_detector)


def poses_of(photo: np.ndarray | None, network: str, detector_name: str, style: str):
    """What the page shows: the drawn photo, and a row of angles a face.

    Args:
        photo: uint8 RGB `(height, width, 3)`, as Gradio gives it; None: there is none yet.
        network: a shipped network's name.
        detector_name: one of `DETECTORS`, or `auto`.
        style: one of `STYLES`.
    """
    import gradio

    if photo is None:
        return None, []
    try:
        frame = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
        faces = predictor(network).predict(frame, detector(detector_name)(frame))
    except InputError as error:
        raise gradio.Error(str(error), print_exception=False) from error
    draw_faces(frame, faces, style)
    rows = [[number, *(round(angle, 1) for angle in face.pose_deg)] for number, face in enumerate(faces, 1)]
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), rows


def build_page():
    """The Gradio page: a photo or webcam, the choices, the drawn poses, the numbers."""
    import gradio

    with gradio.Blocks(title="fsanet_tf") as page:
        gradio.Markdown("# Head pose\nDrop a photo or use the webcam. Nothing leaves this machine.")
        with gradio.Row():
            photo = gradio.Image(
                cv2.cvtColor(astronaut(), cv2.COLOR_BGR2RGB),
                sources=["upload", "webcam"],
                format="png",  # the default loses a little, and half a degree with it
                label="Photo",
                elem_id="photo",
                buttons=["fullscreen"],
            )
            drawn = gradio.Image(
                label="Poses",
                interactive=False,
                format="png",
                elem_id="poses",
                buttons=["download", "fullscreen"],
            )
        with gradio.Row():
            network = gradio.Dropdown([FUSION, *shipped_networks()], value=FUSION, label="Network")
            detector_name = gradio.Dropdown(["auto", *DETECTORS], value="auto", label="Detector")
            style = gradio.Dropdown(list(STYLES), value=STYLES[0], label="Drawing")
        angles = gradio.Dataframe(headers=HEADERS, label="Angles", interactive=False, elem_id="angles")
        inputs, outputs = [photo, network, detector_name, style], [drawn, angles]
        page.load(poses_of, inputs, outputs)
        for control in inputs:
            control.change(poses_of, inputs, outputs)
    return page


def main() -> None:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        import gradio
    except ImportError as error:
        raise InputError("the page needs Gradio (pip install 'fsanet_tf[demo]')") from error
    try:
        build_page().launch(
            server_name="127.0.0.1",
            server_port=flags.FLAGS.port,
            share=False,
            show_error=True,
            theme=gradio.themes.Default(font="sans-serif", font_mono="monospace"),  # fonts of this machine
            allowed_paths=[],
            footer_links=[],
        )
    except OSError as error:
        raise InputError(f"--port={flags.FLAGS.port}: {error}") from error


if __name__ == "__main__":
    flags.DEFINE_integer("port", 7860, "Port on 127.0.0.1.", 1, 65535)
    run(main)
