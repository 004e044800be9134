"""Pieces of a generated page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTE = "<!-- Made from the code by `make tables`: change the code, not this page. -->"


def page(title: str, *parts: str) -> str:
    """A page with a title, the note that it is made, and its parts."""
    return "\n\n".join([f"# {title}", NOTE, *parts]) + "\n"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; an upright bar inside a cell stays one. A column without any text is left out."""
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    kept = [column for column in range(len(headers)) if any(row[column] for row in rows)]
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join("| " + " | ".join(line[at] for at in kept) + " |" for line in lines)


def code(text: str) -> str:
    """A text as code; nothing for an empty one."""
    return f"`{text}`" if text else ""


def anchor(title: str) -> str:
    """What a forge and the site make of a title for links to it."""
    kept = "".join(sign for sign in title.lower() if sign.isalnum() or sign in " -_")
    return kept.replace(" ", "-")
