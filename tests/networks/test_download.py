"""Fetching released files, from a local server: verified, and never half there."""

import hashlib
import http.server
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fsanet_tf.errors import InputError
from fsanet_tf.io.download import download
from fsanet_tf.networks.released.table import RELEASED, download_released, released_url
from tests.conftest import assert_one_clear_line, run_fsanet

CONTENT = bytes(range(256)) * 2000
FILE = "300W_LP_models/net"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT as FILE; `cut` ends the next answer half-way, `slow` makes answers wait."""

    def do_GET(self):
        self.server.requests.append(self.path)
        if not self.path.endswith(released_url(FILE, "")):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        stop = len(CONTENT) // 2 if self.server.cut else len(CONTENT)
        self.server.cut = False
        self.wfile.write(CONTENT[: stop // 2])
        time.sleep(self.server.wait_s)
        self.wfile.write(CONTENT[stop // 2 : stop])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.cut, server.wait_s, server.requests = False, 0.0, []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def released_file(monkeypatch):
    monkeypatch.setitem(RELEASED, FILE, hashlib.sha256(CONTENT).hexdigest())


def url(server):
    return f"http://127.0.0.1:{server.server_port}/pre-trained"


def test_file_arrives_verified_and_is_not_fetched_twice(server, tmp_path):
    path = download_released(FILE, tmp_path, url(server))
    assert path == tmp_path / "300W_LP_models/net.h5" and path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o777 == 0o644  # root may have filled a container's cache
    download_released(FILE, tmp_path, url(server))
    assert len(server.requests) == 1
    assert list(path.parent.iterdir()) == [path]


def test_a_broken_download_leaves_nothing_and_is_repeated(server, tmp_path):
    server.cut = True
    with pytest.raises(InputError, match="could not download it"):
        download_released(FILE, tmp_path, url(server))
    assert not list((tmp_path / "300W_LP_models").iterdir())
    assert download_released(FILE, tmp_path, url(server)).read_bytes() == CONTENT


def test_two_downloads_at_once_do_not_share_a_file(server, tmp_path):
    server.wait_s = 0.2
    with ThreadPoolExecutor(4) as threads:
        paths = set(threads.map(lambda _: download_released(FILE, tmp_path, url(server)), range(4)))
    (path,) = paths
    assert path.read_bytes() == CONTENT and list(path.parent.iterdir()) == [path]
    assert len(server.requests) > 1


def test_a_server_that_does_not_answer_is_given_up(server, tmp_path):
    server.wait_s = 1.0
    with pytest.raises(InputError, match="could not download it"):
        download(released_url(FILE, url(server)), tmp_path / "net.h5", RELEASED[FILE], timeout_s=0.2)
    assert not (tmp_path / "net.h5").exists()


def test_other_content_is_refused_and_removed(server, tmp_path, monkeypatch):
    monkeypatch.setitem(RELEASED, FILE, "0000")
    with pytest.raises(InputError, match="does not match the known hash"):
        download_released(FILE, tmp_path, url(server))
    assert not list((tmp_path / "300W_LP_models").iterdir())


def test_absent_file_and_absent_server(server, tmp_path, monkeypatch):
    monkeypatch.setitem(RELEASED, "300W_LP_models/other", "0000")
    with pytest.raises(InputError, match="404"):
        download_released("300W_LP_models/other", tmp_path, url(server))
    with pytest.raises(InputError, match="could not download it"):
        download_released(FILE, tmp_path, "http://127.0.0.1:9/none")


def test_table_names_all_eighteen_files():
    names = set(RELEASED) - {FILE}
    assert len(names) == 18 and len({RELEASED[name] for name in names}) == 18
    assert released_url("BIWI_models/ssrnet_mt", "x/") == "x/BIWI_models/ssrnet_mt/ssrnet_mt.h5"


def test_command_refuses_an_unknown_name(tmp_path):
    result = run_fsanet("download", "--names=nothing", f"--output_dir={tmp_path}")
    assert_one_clear_line(result, "--names: expected one of")
