"""The example service: a photo in, poses out; what is no photo is refused in one line."""

import importlib
import sys

import cv2
import pytest

import fsanet_tf
from tests.conftest import ROOT

testclient = pytest.importorskip("fastapi.testclient")


@pytest.fixture
def client(reference, monkeypatch):
    monkeypatch.setenv("FSANET_DETECTORS", str(reference / "detectors"))
    monkeypatch.syspath_prepend(str(ROOT / "demo"))
    yield testclient.TestClient(importlib.import_module("service").app)
    del sys.modules["service"]


def test_a_photo_is_answered_with_the_poses_of_estimate(client):
    content = cv2.imencode(".png", fsanet_tf.read_image("astronaut"))[1].tobytes()
    answer = client.post("/poses", files={"photo": ("astronaut.png", content)})
    (expected,) = fsanet_tf.estimate("astronaut", detector="yunet")
    (face,) = answer.json()
    assert answer.status_code == 200
    assert face["pose_deg"] == pytest.approx(expected.pose_deg) and face["box"] == pytest.approx(expected.box)
    assert face["uncertainty_deg"] == pytest.approx(expected.uncertainty_deg)


def test_what_is_no_photo_is_refused_in_one_line(client):
    answer = client.post("/poses", files={"photo": ("notes.txt", b"no picture")})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "image: expected an image, could not decode it"
