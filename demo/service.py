"""Photos in, head poses out, over HTTP: `pip install fastapi python-multipart uvicorn`, then

    uvicorn --app-dir demo service:app

and `curl -F photo=@photo.jpg localhost:8000/poses`. An example of the public API; see docs/serving.md.
"""

from fastapi import FastAPI, HTTPException, UploadFile

import fsanet_tf

app = FastAPI()
network, detect = fsanet_tf.load_network("strided"), fsanet_tf.make_detector()


@app.post("/poses")
def poses(photo: UploadFile) -> list[dict]:
    """Return box and pose of each face of a photo, the surest first; FastAPI calls this in threads."""
    try:
        faces = fsanet_tf.estimate(photo.file.read(), network, detect)
    except fsanet_tf.InputError as error:
        raise HTTPException(422, str(error)) from error
    return [
        {"box": face.box, "pose_deg": face.pose_deg, "uncertainty_deg": face.uncertainty_deg}
        for face in faces
    ]
