"""How runtimes share their work among threads."""

import numpy as np
import pytest

from fsanet_tf.networks import runtimes
from fsanet_tf.networks.network import load_network
from fsanet_tf.networks.runtimes import TRIALS, Fastest


@pytest.mark.parametrize("costs", [(3.0, 2.0), (2.0, 3.0)])
def test_the_faster_way_is_kept_after_each_was_tried(costs, monkeypatch):
    clock, calls = [0.0], []
    monkeypatch.setattr(runtimes.time, "perf_counter", lambda: clock[0])

    def make_way(number, cost):
        def run(crops):
            calls.append(number)
            clock[0] += 100 * cost if calls.count(number) == 1 else cost  # the first call prepares
            return {"pose": crops}

        return run

    run = Fastest(*(make_way(number, cost) for number, cost in enumerate(costs)))
    for count in range(2 * TRIALS + 10):
        assert run(np.full((1, 3), count))["pose"][0, 0] == count
    assert calls[: 2 * TRIALS] == [0, 1] * TRIALS
    assert set(calls[2 * TRIALS :]) == {costs.index(min(costs))}


def test_one_face_has_the_same_outputs_with_any_number_of_threads(rng):
    crops = rng.uniform(0, 255, (4, 64, 64, 3)).astype(np.float32)
    expected = load_network("1x1", num_threads=1).predict(crops)
    network = load_network("1x1", num_threads=2)
    for number in range(2 * TRIALS + 4):
        outputs = network.predict(crops[number % 4 :][:1])
        for name, values in outputs.items():
            np.testing.assert_array_equal(values, expected[name][number % 4 :][:1])
