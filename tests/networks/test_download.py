"""Fetching released files, from a local server: verified, resumed, and never half there."""

import dataclasses
import hashlib
import http.server
import threading

import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.networks.released.download import download_released
from fsanet_tf.networks.released.table import RELEASED, ReleasedFile
from tests.conftest import assert_one_clear_line, run_fsanet

CONTENT = bytes(range(256)) * 2000
FILE = ReleasedFile("300W_LP_models", "net", hashlib.sha256(CONTENT).hexdigest())


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT at FILE's place, with ranges; `cut` ends the next answer half-way."""

    def do_GET(self):
        self.server.ranges.append(self.headers.get("Range"))
        if not self.path.endswith(FILE.url_path):
            self.send_error(404)
            return
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        stop = len(CONTENT) // 2 if self.server.cut else len(CONTENT)
        self.server.cut = False
        self.wfile.write(CONTENT[start:stop])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.cut, server.ranges = False, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def url(server):
    return f"http://127.0.0.1:{server.server_port}/pre-trained"


def test_file_arrives_verified_and_is_not_fetched_twice(server, tmp_path):
    path = download_released(FILE, tmp_path, url(server))
    assert path == tmp_path / "300W_LP_models/net.h5" and path.read_bytes() == CONTENT
    download_released(FILE, tmp_path, url(server))
    assert len(server.ranges) == 1
    assert list(path.parent.iterdir()) == [path]


def test_broken_download_goes_on_where_it_stopped(server, tmp_path):
    server.cut = True
    with pytest.raises(InputError, match=r"could not download it .*the same command resumes"):
        download_released(FILE, tmp_path, url(server))
    assert not (tmp_path / "300W_LP_models/net.h5").exists()
    assert download_released(FILE, tmp_path, url(server)).read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={len(CONTENT) // 2}-"]


def test_other_content_is_refused_and_removed(server, tmp_path):
    with pytest.raises(InputError, match="expected SHA-256 0000"):
        download_released(dataclasses.replace(FILE, sha256="0000"), tmp_path, url(server))
    assert not list((tmp_path / "300W_LP_models").iterdir())


def test_absent_file_and_absent_server(server, tmp_path):
    with pytest.raises(InputError, match="the server answered 404"):
        download_released(dataclasses.replace(FILE, stem="other"), tmp_path, url(server))
    with pytest.raises(InputError, match="could not download it"):
        download_released(FILE, tmp_path, "http://127.0.0.1:9/none")


def test_table_names_all_eighteen_files():
    assert len(RELEASED) == 18 and len({file.sha256 for file in RELEASED.values()}) == 18
    assert RELEASED["BIWI_models/ssrnet_mt"].url_path == "BIWI_models/ssrnet_mt/ssrnet_mt.h5"


def test_command_refuses_an_unknown_name(tmp_path):
    result = run_fsanet("download", "--names=nothing", f"--output_dir={tmp_path}")
    assert_one_clear_line(result, "--names: nothing is not one of")
