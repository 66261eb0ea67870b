"""Options and commands of earlier versions, with what replaces them, for error messages."""

from __future__ import annotations

from collections.abc import Container

# New name of an option by the old one.
RENAMED_OPTIONS = {
    "colour": "color",
    "draw": "style",
    "format": "formats",
    "greyscale": "grayscale",
    "init_weights": "init_network",
    "mirror": "flip",
    "model": "network",
    "protocol": "max_angle_deg",
    "uncertainty": "show_uncertainty",
    "weights": "network",
}
REMOVED_OPTIONS = {
    "latency_rounds": "python -m benchmarks.latency measures the time of each file",
    "layout": "heads are rendered in the layout of 300W-LP",
    "num_shards": "data sets are read from disk as they are, without shards",
}
REMOVED_COMMANDS = {
    "shard": "data sets are read from disk as they are: pass the .npz files to fsanet train --data",
    "web": "python demo/web.py serves the page",
}


def new_option(old: str, options: Container[str]) -> str | None:
    """Return what took the place of an option, for a message; None if it never existed.

    Args:
        old: Name of the unknown option.
        options: Names of the command's options.
    """
    new = RENAMED_OPTIONS.get(old)
    if new in options:
        return f"--{old}: is called --{new} since version 1.0"
    if old in REMOVED_OPTIONS:
        return f"--{old}: was removed in version 1.0; {REMOVED_OPTIONS[old]}"
    return None
