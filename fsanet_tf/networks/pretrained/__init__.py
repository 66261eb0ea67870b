"""The networks that come with the package, by name: `1x1`, `var`, `noS`, and `fusion`, their mean."""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["list_networks"]

FUSION = "fusion"
FOLDER = Path(__file__).parent


def list_networks() -> list[str]:
    """Return the names of the networks that come with the package.

    Example:
        >>> fsanet_tf.list_networks()
        ['fusion', '1x1', 'noS', 'var']
    """
    return [FUSION, *shipped_networks()]


def shipped_networks() -> dict[str, Path]:
    """Return the `.tflite` files by name; a `.keras` file and a card are next to each."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.tflite"))}


def fusion_card() -> Path:
    """Return the card of the fusion; `fusion` itself has no file."""
    return FOLDER / f"{FUSION}.json"


def network_file(source: str | Path) -> Path:
    """Resolve a path, or the name of a shipped network, to the file that inference loads (`.tflite`)."""
    return shipped_networks().get(str(source), Path(source))


def keras_file(source: str | Path) -> Path:
    """Resolve a path, or the name of a shipped network, to the file that training loads (`.keras`)."""
    shipped = shipped_networks().get(str(source))
    return shipped.with_suffix(".keras") if shipped else Path(source)


def keras_files(sources: Sequence[str]) -> list[Path]:
    """Resolve paths and names to Keras files; `fusion` stands for three."""
    names = [name for source in sources for name in (shipped_networks() if source == FUSION else [source])]
    return [keras_file(name) for name in names]
