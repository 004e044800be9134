"""Tables of a document's fields, and of the parts that it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from handbook.fields import fields, in_words, parts, summary
from handbook.markdown import anchor, code, table

Links = Mapping[type, str]
"""A part of a document -> a link to its own table."""


def parts_of(models: Iterable[type]) -> list[type]:
    """The dataclasses below some, each once, in the order in which a reader meets them."""
    waiting = list(models)
    known = list(waiting)
    found = []
    while waiting:
        for field in fields(waiting.pop(0)):
            for part in parts(field.type):
                if part not in known:
                    known.append(part)
                    waiting.append(part)
                    found.append(part)
    return found


def links_to(models: Iterable[type]) -> Links:
    """Links to the tables of these parts on the same page."""
    return {model: link(title(model)) for model in models}


def link(heading: str) -> str:
    """A link to a heading of the same page."""
    return f"[{heading}](#{anchor(heading)})"


def title(model: type) -> str:
    """What a part is called on a page: `KeptFile` becomes `kept file`."""
    name = model.__name__.lstrip("_")
    words = "".join(f" {sign.lower()}" if sign.isupper() else sign for sign in name)
    return words.strip()


def field_rows(model: type, links: Links) -> list[list[str]]:
    """Key, value, default and meaning of each field of a document or of a part."""
    return [
        [code(field.name), in_words(field.type, links), code(field.default), field.meaning]
        for field in fields(model)
    ]


def field_table(model: type, links: Links, defaults: bool = False) -> str:
    """The same as a table. `defaults`: of a file that people write, who may leave fields out."""
    rows = field_rows(model, links)
    if not defaults:
        return table(["key", "value", "meaning"], [[row[0], row[1], row[3]] for row in rows])
    return table(["key", "value", "default", "meaning"], rows)


def part_sections(models: Iterable[type], links: Links, level: str = "##") -> list[str]:
    """A section for each part: what it is, and its fields."""
    sections = []
    for model in models:
        sections += [f"{level} {title(model)}", summary(model), field_table(model, links)]
    return sections
