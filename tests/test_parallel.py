"""Workers end with the call that started them, and a hangup does not confuse their bookkeeping."""

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor

import pytest

from fsanet_tf.data.preprocessing.synthetic import SyntheticConfig, synthesize
from fsanet_tf.errors import InputError
from fsanet_tf.parallel import WorkerContext, worker_processes
from tests.conftest import ROOT


def test_an_interrupted_job_ends_its_workers_at_once():
    worker = 0
    with contextlib.suppress(KeyboardInterrupt), worker_processes(1) as pool:
        worker = pool.submit(os.getpid).result()
        pool.submit(time.sleep, 600)
        raise KeyboardInterrupt
    assert worker
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_worker_that_is_killed_is_one_line_and_nothing_is_waited_for(tmp_path):
    def kill():
        while not (workers := multiprocessing.active_children()):
            time.sleep(0.01)
        workers[0].kill()

    threading.Thread(target=kill).start()
    with pytest.raises(InputError, match="heads: a worker died, probably for lack of memory"):
        synthesize(SyntheticConfig(tmp_path / "heads", 64, workers=2))
    assert not multiprocessing.active_children()


def test_a_worker_whose_pool_breaks_while_it_is_started_is_an_error_of_the_pool():
    connection, _ = multiprocessing.Pipe()
    connection.close()  # as Python closes the queue of a pool, one of whose workers has died
    worker = WorkerContext().Process(target=print, args=(connection,))
    with pytest.raises(BrokenExecutor, match="could not be started: handle is closed"):
        worker.start()
    assert not multiprocessing.active_children()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no hangups here")
def test_a_hangup_leaves_the_tracker_of_semaphores_alive():
    code = (
        "import os, signal, time; from multiprocessing.resource_tracker import _resource_tracker as tracker\n"
        "from fsanet_tf.parallel import WorkerContext\n"
        "WorkerContext(); os.kill(tracker._pid, signal.SIGHUP); time.sleep(0.5)\n"
        "print(os.waitpid(tracker._pid, os.WNOHANG), signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert result.stdout == "(0, 0) set()\n", result.stderr
