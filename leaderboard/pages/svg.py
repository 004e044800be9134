"""Makes matplotlib's SVG fit into a page, and small.

Stand-in colours become CSS variables. Inline styles become attributes, so that a page may forbid
inline styles. Every id gets a prefix, since a page holds many charts. Marks get the texts that a
reader sees who points at them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

NAMESPACE = re.compile(r"^\{[^}]*\}")
URL = re.compile(r"url\(#([^)]*)\)")
DROPPED = ("metadata", "style")
"""Elements that a page has itself or forbids."""


def embedded(
    text: str, ident: str, colours: Mapping[str, str], hints: Mapping[str, Sequence[str]]
) -> str:
    """A drawing as an element whose ids begin with `ident`.

    `colours`: stand-in -> what replaces it. `hints`: id of a group -> a text for each of its marks.
    """
    root = ElementTree.fromstring(text)
    for element in root.iter():
        element.tag = NAMESPACE.sub("", element.tag)
        if element.get("id") in hints:
            _hint(element, hints[str(element.get("id"))])

    # Ids that nothing refers to go, the others are made the page's own.
    named = {name for element in root.iter() for name in _references(element)}
    for element in root.iter():
        element.attrib = dict(_attributes(element, ident, named, colours))
    root.attrib = {"viewBox": root.attrib["viewBox"], "aria-hidden": "true"}
    root[:] = _children(root)
    return ElementTree.tostring(root, encoding="unicode")


def _hint(group: Element, texts: Sequence[str]) -> None:
    """Tells the marks of a group, or the line that is all of it."""
    lines = [child for child in group if child.tag.endswith("path")]
    marks = [part for part in group.iter() if part.tag.endswith("use")] or lines
    for mark, text in zip(marks, texts, strict=True):
        ElementTree.SubElement(mark, "title").text = text


def _references(element: Element) -> Iterator[str]:
    """Ids that an element refers to."""
    for key, value in element.items():
        if key.endswith("href"):
            yield value[1:]
        yield from URL.findall(value)


def _attributes(
    element: Element, ident: str, named: set[str], colours: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """An element's attributes as the page takes them."""
    for key, value in _styled(element):
        name = NAMESPACE.sub("", key)
        if name == "href":
            yield name, f"#{ident}-{value[1:]}"
        elif name == "id":
            if value in named:
                yield name, f"{ident}-{value}"
        elif name in ("d", "x", "y", "transform"):
            if not value.startswith("rotate(-0 "):
                yield name, _short(value)
        else:
            yield name, URL.sub(rf"url(#{ident}-\1)", colours.get(value, value))


def _styled(element: Element) -> Iterator[tuple[str, str]]:
    """Attributes, and the inline style as such. The page has a font of its own."""
    for key, value in element.items():
        if key != "style":
            yield key, value
            continue
        for part in value.split(";"):
            name, _, content = part.partition(":")
            if content and name.strip() != "font-family":
                yield name.strip(), content.strip()


def _short(place: str) -> str:
    """A place in the drawing to a tenth of a point, on one line."""
    rounded = re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.1f}", place)
    return " ".join(rounded.split())


def _children(element: Element) -> list[Element]:
    """What an element holds, without blanks and without groups that do nothing."""
    kept = list[Element]()
    for child in element:
        child[:] = _children(child)
        child.tail = None
        if child.tag not in ("text", "title"):
            child.text = None

        # A group without attributes only holds others together.
        empty = child.tag in ("g", "defs") and not len(child)
        if child.tag == "g" and not child.attrib:
            kept += child
        elif child.tag not in DROPPED and not empty:
            kept.append(child)
    return kept
