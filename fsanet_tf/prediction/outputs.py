"""Where drawings go: names next to the source, folders that keep their structure, never the source itself."""

from pathlib import Path

from fsanet_tf.errors import InputError

DRAWN_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


def default_output(source: str, photos: list[Path] | None) -> Path:
    """Name the output after the source, in the current folder; `photos` is None for a video or camera."""
    if photos is None:
        stem = "camera" if source.isdigit() or "://" in source else Path(source).stem
        return Path(f"{stem}_poses.mp4")
    return Path(f"{Path(source).stem}_poses{'' if Path(source).is_dir() else '.png'}")


def drawing_path(source: str, photo: Path, output: Path) -> Path:
    """Return where a photo is drawn to: a folder keeps its structure, in formats that can be written."""
    if Path(source).is_dir():
        path = output / photo.relative_to(source)
    else:
        path = output / photo.name if output.is_dir() else output
        if not output.is_dir():
            return path
    return path if path.suffix.lower() in DRAWN_SUFFIXES else path.with_name(f"{path.name}.png")


def require_other_outputs(source: str, photos: list[Path], output: Path, others: list[str | None]) -> None:
    """Raise `InputError` if an output would replace a source.

    Args:
        source: The source.
        photos: Its photos.
        output: Where they are drawn to.
        others: Further files that are written; None: none.
    """
    inputs = {path.resolve() for path in (Path(source), *photos)}
    drawings = [drawing_path(source, photo, output) for photo in photos]
    for path in (output, *drawings, *(Path(path) for path in others if path)):
        if path.resolve() in inputs:
            raise InputError(f"{path}: is the source, expected another output")
