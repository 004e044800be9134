"""`make docs` makes the site: the pages as they lie in the repository, with a table of contents.

    python -m handbook.build [--to build/site]

Sphinx makes it from a copy of the pages, so that whatever else lies in the repository is none of
its business. The same pages make the same bytes.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LINK = re.compile(r"(!?\[[^\]]*\])\(([^)#\s]+)(#[^)\s]*)?\)")
"""A link of Markdown: its text, its target, the anchor in it."""

CONTENTS: dict[str, tuple[str, ...]] = {
    "Tutorials": ("docs/tutorials/*.md",),
    "Run and measure": tuple(
        f"docs/{name}.md"
        for name in (
            *("suites", "regimes", "studies", "data", "clips", "diagnostics", "ci"),
            *("container", "gpu", "faults", "entries"),
        )
    ),
    "Boards": tuple(
        f"docs/{name}.md" for name in ("board", "story", "registration", "ranks", "log", "threats")
    ),
    "Reference": tuple(
        f"docs/reference/{name}.md" for name in ("commands", "suite", "files", "json")
    ),
    "Background": (
        *("docs/claims.md", "results/README.md", "docs/members.md", "docs/decisions/README.md"),
        *("docs/decisions/0*.md", "docs/reading.md", "CONTRIBUTING.md", "SECURITY.md"),
        *("CHANGELOG.md", "docs/unrun.md"),
    ),
}
"""Caption -> pages below it; README.md comes before all of them."""


def pages() -> list[Path]:
    """Every page, seen from the root, in the order of the table of contents."""
    listed = [pattern for patterns in CONTENTS.values() for pattern in patterns]
    return [Path("README.md"), *(page for pattern in listed for page in matching(pattern))]


def matching(pattern: str) -> list[Path]:
    """The pages of one line of the table of contents."""
    return [path.relative_to(ROOT) for path in sorted(ROOT.glob(pattern))]


def lay_out(source: Path) -> None:
    """Writes the pages below `source`, and whatever else they link to."""
    for page in pages():
        text = (ROOT / page).read_text()
        for _, target, _ in LINK.findall(text):
            beside = ROOT / page.parent / target
            if "://" not in target and target.endswith(".md") is False and beside.is_file():
                copy(beside.resolve().relative_to(ROOT), source)
        if page.name == "README.md" and page.parent == Path():
            write(source / "index.md", text + contents())
        else:
            write(source / page, LINK.sub(to_index, text))


def to_index(link: re.Match[str]) -> str:
    """A link to the README of the root leads to the index of the site."""
    if not re.fullmatch(r"(\.\./)+README\.md", link[2]):
        return link[0]
    return f"{link[1]}({link[2].replace('README', 'index')}{link[3] or ''})"


def contents() -> str:
    """The table of contents, in MyST's words; the sidebar shows it."""
    blocks = []
    for caption, patterns in CONTENTS.items():
        names = [page.with_suffix("") for pattern in patterns for page in matching(pattern)]
        listed = "\n".join(map(str, names))
        blocks.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listed}\n```\n")
    return "\n" + "\n".join(blocks)


def copy(path: Path, source: Path) -> None:
    """Copies a file of the repository to its place below `source`."""
    copy_to(ROOT / path, source / path)


def copy_to(path: Path, target: Path) -> None:
    """Copies a file, its folder included."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def write(path: Path, text: str) -> None:
    """Writes a text, its folder included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def build(to: Path) -> int:
    """Makes the site; returns the exit code. A warning, as of a broken link, is an error."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        lay_out(source)
        shutil.rmtree(to, ignore_errors=True)
        site = Sphinx(
            source,
            HERE,
            to,
            Path(scratch) / "doctrees",
            "html",
            status=None,
            warningiserror=True,
        )
        site.build(force_all=True)
        return site.statuscode


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Makes the site of the documentation.")
    parser.add_argument("--to", type=Path, default=ROOT / "build/site", help="its folder")
    to = parser.parse_args().to
    code = build(to.resolve())
    print(f"site: {to / 'index.html'}" if code == 0 else "site: the warnings above are errors")
    sys.exit(code)


if __name__ == "__main__":
    main()
