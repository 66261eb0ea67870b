"""`fsanet web`: a page on this machine that draws the poses of a photo or webcam.

It listens on 127.0.0.1 only, sends nothing elsewhere, and needs no network.
"""

import os

import cv2
import numpy as np
from absl import flags

from fsanet_tf.commands.command_line import Command
from fsanet_tf.detection.detectors import list_detectors
from fsanet_tf.drawing.faces import draw_faces
from fsanet_tf.drawing.poses import STYLES
from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.io.images import ASTRONAUT, read_image
from fsanet_tf.networks.pretrained import FUSION, list_networks
from fsanet_tf.prediction.estimate import load_detector, load_predictor

INTRODUCTION = """# Head pose
Drop a photo or use the webcam. Nothing leaves this machine. For live poses in the browser, without a server,
export the page that docs/live.md describes: `fsanet export --weights=fusion --format=web --output_dir=web`"""
HOSTS = ("127.0.0.1", "localhost")  # other names in a request come from other pages
MAX_UPLOAD = "20mb"
CACHE_SECONDS = 600  # after which uploaded photos are deleted
HEADERS = ["face", "yaw (°)", "pitch (°)", "roll (°)"]


def poses_of(photo: np.ndarray | None, network: str, detector_name: str, style: str):
    """Return what the page shows: the drawn photo, and a row of angles per face.

    Args:
        photo: uint8 RGB `(height, width, 3)`; None: there is none yet.
        network: Name of a shipped network.
        detector_name: One of `list_detectors()`, or `auto`.
        style: One of `STYLES`.
    """
    import gradio

    if photo is None:
        return None, []
    try:
        frame = cv2.cvtColor(photo, cv2.COLOR_RGB2BGR)
        faces = load_predictor(network).predict(frame, load_detector(detector_name)(frame))
    except InputError as error:
        raise gradio.Error(str(error), print_exception=False) from error
    draw_faces(frame, faces, style)
    rows = [[number, *(round(angle, 1) for angle in face.pose_deg)] for number, face in enumerate(faces, 1)]
    return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), rows


def build_page():
    """Build the Gradio page: a photo or webcam, the choices, the drawn poses, the angles."""
    import gradio

    with gradio.Blocks(title="fsanet_tf", delete_cache=(CACHE_SECONDS, CACHE_SECONDS)) as page:
        gradio.Markdown(INTRODUCTION)
        with gradio.Row():
            photo = gradio.Image(
                cv2.cvtColor(read_image(ASTRONAUT), cv2.COLOR_BGR2RGB),
                sources=["upload", "webcam"],
                format="png",  # the default is lossy, which costs half a degree
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
            network = gradio.Dropdown(list_networks(), value=FUSION, label="Network")
            detector_name = gradio.Dropdown(["auto", *list_detectors()], value="auto", label="Detector")
            style = gradio.Dropdown(list(STYLES), value=STYLES[0], label="Drawing")
        angles = gradio.Dataframe(headers=HEADERS, label="Angles", interactive=False, elem_id="angles")
        inputs, outputs = [photo, network, detector_name, style], [drawn, angles]
        page.load(poses_of, inputs, outputs, api_name="poses")
        for control in inputs:
            control.change(poses_of, inputs, outputs, api_name=False)
    return page


def define_options(values: flags.FlagValues) -> None:
    """Define the options of `fsanet web`."""
    flags.DEFINE_integer("port", 7860, "Port on 127.0.0.1.", 1, 65535, flag_values=values)


def run(values: flags.FlagValues) -> None:
    """Serve the page until it is interrupted."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    with optional_dependencies():
        import gradio
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware
    try:
        build_page().launch(
            server_name="127.0.0.1",
            server_port=values.port,
            share=False,
            show_error=True,
            theme=gradio.themes.Default(font="sans-serif", font_mono="monospace"),  # fonts of this machine
            allowed_paths=[],
            footer_links=[],
            max_file_size=MAX_UPLOAD,
            app_kwargs={"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS))]},
        )
    except OSError as error:
        raise InputError(f"--port={values.port}: {error}") from error


COMMAND = Command("web", "Serve a page on this machine that draws the poses of a photo.", define_options, run)
