"""A page on this machine that draws the poses of a photo or webcam: `pip install gradio; python demo/web.py`.

An example of the public API. It listens on 127.0.0.1 only and sends nothing elsewhere. For live poses in the
browser, without a server, see docs/live.md.
"""

import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import fsanet_tf


def poses_of(photo: np.ndarray | None, network: str, detector: str) -> tuple[np.ndarray | None, list[list]]:
    """Return the drawn photo, uint8 RGB `(height, width, 3)`, and rows of number, yaw, pitch, roll."""
    if photo is None:
        return None, []
    frame = np.ascontiguousarray(photo[..., ::-1])
    faces = fsanet_tf.estimate(frame, network, detector, color_order="BGR")
    fsanet_tf.draw_faces(frame, faces)
    rows = [[number, *(round(angle, 1) for angle in face.pose_deg)] for number, face in enumerate(faces, 1)]
    return frame[..., ::-1], rows


def main() -> None:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    import gradio

    gradio.Interface(
        poses_of,
        inputs=[
            gradio.Image(sources=["upload", "webcam"], format="png", label="Photo"),
            gradio.Dropdown(fsanet_tf.list_networks(), value="fusion", label="Network"),
            gradio.Dropdown(["auto", *fsanet_tf.list_detectors()], value="auto", label="Detector"),
        ],
        outputs=[
            gradio.Image(format="png", label="Poses"),
            gradio.Dataframe(headers=["face", "yaw (°)", "pitch (°)", "roll (°)"], label="Angles"),
        ],
        title="Head pose",
        flagging_mode="never",
    ).launch(server_name="127.0.0.1", share=False)


if __name__ == "__main__":
    main()
