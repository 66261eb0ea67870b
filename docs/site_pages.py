"""MkDocs hooks: the changelog as a page, notebooks to download, and links out of the site as their text."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./[^)]+\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add CHANGELOG.md, whose links begin at the repository's root, and the notebooks."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "changelog.md", content=changelog.replace("](docs/", "](")))
    for notebook in (ROOT / "examples").glob("*.ipynb"):
        files.append(File.generated(config, f"examples/{notebook.name}", abs_src_path=str(notebook)))
    return files


def on_page_markdown(markdown: str, **_) -> str:
    """Replace links to files of the repository, which the site does not contain, by their text."""
    markdown = markdown.replace("](../examples/", "](examples/")
    return OUTSIDE.sub(lambda link: link[1] if "`" in link[1] else f"`{link[1]}`", markdown)
