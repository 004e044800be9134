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

CONTENTS = {
    "Tutorials": """docs/tutorials/README docs/tutorials/own-suite docs/tutorials/own-regime
        docs/tutorials/report docs/tutorials/gate docs/tutorials/machines
        docs/tutorials/own-algorithm""",
    "Run and measure": """docs/use docs/suites docs/regimes docs/studies docs/diagnostics docs/data
        docs/clips docs/ci docs/container docs/gpu docs/fleet docs/faults""",
    "Reference": """docs/reference/commands docs/reference/suite docs/reference/files
        docs/reference/json""",
    "Trust": "docs/checked docs/entries docs/threats SECURITY",
    "A public board": "docs/board docs/story docs/registration docs/log docs/ranks",
    "Background": """docs/claims results/README docs/decisions/README docs/members docs/reading
        CONTRIBUTING CHANGELOG docs/unrun""",
}
"""Caption in the sidebar -> the pages below it. README.md comes before all of them."""
MARK = ".buildinfo"
"""What Sphinx leaves in a site: nothing else is ever replaced by one."""
ACCESSIBLE = {
    'class="caption" role="heading"': 'class="caption" role="heading" aria-level="2"',
    '<aside class="sidebar-drawer"': '<aside class="sidebar-drawer" aria-label="All pages"',
    '<aside class="toc-drawer': '<aside aria-label="On this page" class="toc-drawer',
    "<pre>": '<pre tabindex="0">',
}
"""What the theme leaves out, for screen readers and for keyboards that scroll."""
BELOW = {"docs/decisions/README": "docs/decisions/0*.md"}
"""A page of them -> those that the sidebar folds up below it."""


def pages() -> list[Path]:
    """Every page, seen from the root, in the order of the table of contents."""
    found = [Path("README.md")]
    for names in CONTENTS.values():
        for name in names.split():
            found += [Path(f"{name}.md"), *below(name)]
    return found


def below(name: str) -> list[Path]:
    """The pages that are folded up below another one."""
    pattern = BELOW.get(name)
    return [path.relative_to(ROOT) for path in sorted(ROOT.glob(pattern))] if pattern else []


def lay_out(source: Path) -> None:
    """Writes the pages below `source`, and whatever else they link to."""
    for page in pages():
        text = (ROOT / page).read_text()
        for link in LINK.finditer(text):
            linked = ROOT / page.parent / link[2]
            if linked.is_file() and linked.suffix != ".md":
                copy(linked, source / linked.resolve().relative_to(ROOT))
        if page == Path("README.md"):
            write(source / "index.md", text + contents())
        else:
            folded = toctree([path.stem for path in below(str(page.with_suffix("")))])
            write(source / page, LINK.sub(to_index, text) + folded)


def to_index(link: re.Match[str]) -> str:
    """A link to the README of the root leads to the index of the site."""
    if not re.fullmatch(r"(\.\./)+README\.md", link[2]):
        return link[0]
    return f"{link[1]}({link[2].replace('README', 'index')}{link[3] or ''})"


def contents() -> str:
    """The table of contents, which the sidebar shows."""
    blocks = [toctree(names.split(), caption) for caption, names in CONTENTS.items()]
    return toctree(["Start <self>"]) + "".join(blocks)


def toctree(names: list[str], caption: str = "") -> str:
    """A part of the table of contents in MyST's words; nothing for no pages."""
    if not names:
        return ""
    options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
    return "\n".join(["", "```{toctree}", *options, "", *names, "```", ""])


def copy(path: Path, target: Path) -> None:
    """Copies a file, its folder included."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def write(path: Path, text: str) -> None:
    """Writes a text, its folder included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def build(to: Path) -> int:
    """Makes the site anew; returns the exit code. A warning, as of a broken link, is an error."""
    if to.is_dir() and any(to.iterdir()) and not (to / MARK).exists():
        print(f"--to {to}: is no site that was built before; choose another folder.")
        return 2
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
    for page in to.rglob("*.html"):
        text = page.read_text()
        for theirs, ours in ACCESSIBLE.items():
            text = text.replace(theirs, ours)
        page.write_text(text)
    return site.statuscode


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Makes the site of the documentation.")
    parser.add_argument("--to", type=Path, default=ROOT / "build/site", help="its folder")
    to = parser.parse_args().to
    code = build(to.resolve())
    if code == 0:
        print(f"site: {to / 'index.html'}")
    sys.exit(code)


if __name__ == "__main__":
    main()
