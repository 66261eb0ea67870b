"""Plots show every value, with an axis that can be read."""

import numpy as np
import pytest

from fsanet_tf.drawing import plots
from fsanet_tf.drawing.poses import text_width
from fsanet_tf.evaluation.figures import _end_of


@pytest.fixture
def axes(monkeypatch):
    """The axes of what is drawn, instead of a file."""
    figures = []
    monkeypatch.setattr(plots, "save_figure", lambda figure, path: figures.append(figure))
    return lambda: figures[-1].axes[0]


def rows(losses):
    return [dict(zip(("epoch", "loss", "val_loss", "val_mae"), (i, x, x, x / 2), strict=True))
            for i, x in enumerate(losses, 1)]  # fmt: skip


@pytest.mark.parametrize(
    "losses", [[3.0], [2.1, 2.0, 1.98], 30 / np.arange(1, 91)], ids=["one", "fine-tuning", "long"]
)
def test_a_curve_has_whole_epochs_and_labels_over_its_whole_range(losses, axes):
    plots.draw_training_curve(rows(losses), "curve.png")
    (left, right), (low, high) = axes().get_xlim(), axes().get_ylim()
    assert left < 1 and right > len(losses) and low < min(losses) / 2 and high > max(losses)
    epochs = [tick for tick in axes().get_xticks() if left <= tick <= right]
    assert epochs and all(tick == round(tick) for tick in epochs)
    shown = [tick for tick in axes().get_yticks() if low <= tick <= high]
    assert 3 <= len(shown) <= 12 and shown[0] < low * (high / low) ** 0.4 and shown[-1] > high / 3


def test_no_error_is_cut_off(axes, rng):
    errors, yaw = rng.uniform(0, 20, (50, 3)), rng.uniform(-179, 179, 50)
    geodesic = np.append(errors.max(axis=1)[:-1], 180.0)
    plots.draw_error_against_yaw(errors, geodesic, yaw, "yaw.png")
    assert axes().get_ylim()[1] > 180 and axes().get_xlim()[0] < yaw.min()
    plots.draw_cumulative_error(errors, geodesic, "errors.png")
    assert axes().get_xlim()[1] > 180


def test_a_long_name_keeps_its_end():
    name = "/data/a/very/long/folder/of/photos/" * 3 + "image04461.jpg"
    shown = _end_of(name, "own.npz, row 41: ", 300, 11)
    assert shown.startswith("...") and shown.endswith("image04461.jpg") and len(shown) > 16
    assert text_width("own.npz, row 41: " + shown, 11) <= 300
    assert _end_of("a.jpg", "own.npz, row 1: ", 300, 11) == "a.jpg"
