"""The browser's runtime comes from its npm package or from a folder, and nothing else is taken for it."""

import functools
import hashlib
import http.server
import io
import tarfile
import threading
from pathlib import Path

import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.export import web_runtime
from fsanet_tf.export.web_runtime import VARIABLE, copy_runtime

CONTENTS = {"a.mjs": b"first", "b.wasm": b"second"}


@pytest.fixture
def package(monkeypatch) -> bytes:
    """A package in place of the real one, of 14 MB."""
    monkeypatch.delenv(VARIABLE, raising=False)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    monkeypatch.setattr(web_runtime, "SHA256", hashes)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in CONTENTS.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_packages_and_folders_are_copied(package, tmp_path, monkeypatch):
    (tmp_path / "package.tgz").write_bytes(package)
    (tmp_path / "folder/dist").mkdir(parents=True)
    for name, content in CONTENTS.items():
        (tmp_path / "folder/dist" / name).write_bytes(content)
    for number, source in enumerate(("package.tgz", "folder", "folder/dist")):
        copy_runtime(tmp_path / f"{number}", str(tmp_path / source))
        assert contents(tmp_path / f"{number}") == CONTENTS
    monkeypatch.setenv(VARIABLE, str(tmp_path / "package.tgz"))
    copy_runtime(tmp_path / "named")
    assert contents(tmp_path / "named") == CONTENTS


def test_the_package_is_downloaded_once(package, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(web_runtime, "PACKAGE_SHA256", hashlib.sha256(package).hexdigest())
    (tmp_path / "package.tgz").write_bytes(package)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(web_runtime, "URL", f"http://127.0.0.1:{server.server_port}/package.tgz")
        copy_runtime(tmp_path / "first")
        server.shutdown()
    copy_runtime(tmp_path / "second")  # from the cache
    assert contents(tmp_path / "first") == contents(tmp_path / "second") == CONTENTS


def test_a_wrong_or_missing_runtime_is_one_clear_line(package, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no such copy of the web runtime"):
        copy_runtime(tmp_path / "out", str(tmp_path / "absent.tgz"))
    for name in CONTENTS:
        (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match="expected that of onnxruntime-web"):
        copy_runtime(tmp_path / "out", str(tmp_path))
    (tmp_path / "bad.tgz").write_text("x")
    with pytest.raises(InputError, match=r"bad\.tgz: expected onnxruntime-web-.*\.tgz of npm"):
        copy_runtime(tmp_path / "out", str(tmp_path / "bad.tgz"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"or its folder, with a\.mjs"):
        copy_runtime(tmp_path / "out", str(tmp_path / "empty"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(web_runtime, "URL", "http://127.0.0.1:9/absent.tgz")
    with pytest.raises(InputError, match=r"could not download it .*name a copy of onnxruntime-web-"):
        copy_runtime(tmp_path / "out")
