"""The fields of a dataclass as a page shows them: name, type in words, default, meaning."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import types
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    object: "any value",
    types.NoneType: "null",
    Path: "path",
    Any: "any value",
}
"""Python's types, as JSON and YAML have them."""


@dataclasses.dataclass(frozen=True)
class Field:
    """A field of a dataclass."""

    name: str
    type: Any
    default: str
    """As YAML; empty for a field that must be stated."""
    meaning: str


def fields(model: type) -> list[Field]:
    """The fields of a dataclass, in their order."""
    hints = get_type_hints(model)
    meanings = _meanings(model)
    return [
        Field(field.name, hints[field.name], _default(field), meanings.get(field.name, ""))
        for field in dataclasses.fields(model)
    ]


def summary(documented: Any) -> str:
    """The docstring of a class or function on one line."""
    return one_line(inspect.getdoc(documented) or "")


def one_line(text: str) -> str:
    """A text without line breaks."""
    return " ".join(text.split())


def _meanings(model: type) -> dict[str, str]:
    """Field -> the text below it, which may stand in a class that `model` inherits from."""
    meanings: dict[str, str] = {}
    for ancestor in reversed(model.__mro__):
        if dataclasses.is_dataclass(ancestor):
            meanings |= _texts(ancestor)
    return meanings


@cache
def _texts(model: type) -> Mapping[str, str]:
    """Field -> the text below it in the class itself, `null` for `None`."""
    module = ast.parse(inspect.getsource(inspect.getmodule(model)))  # type: ignore[arg-type]
    body = next(
        node.body
        for node in module.body
        if isinstance(node, ast.ClassDef) and node.name == model.__name__
    )
    texts = {}
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            match below:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    texts[field.target.id] = re.sub(r"\bNone\b", "null", one_line(text))
    return texts


def _default(field: dataclasses.Field[Any]) -> str:
    """A field's default as YAML says it."""
    if field.default_factory is not dataclasses.MISSING:
        made = field.default_factory()
        return "" if dataclasses.is_dataclass(made) else yaml_text(made)
    return "" if field.default is dataclasses.MISSING else yaml_text(field.default)


def yaml_text(value: Any) -> str:
    """A value as YAML says it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case tuple() | list():
            return f"[{', '.join(map(yaml_text, value))}]"
        case dict():
            return "{}" if not value else str(value)
    return str(value)


def parts(annotation: Any) -> list[type]:
    """The dataclasses that a type is made of."""
    if dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return [annotation]
    if get_origin(annotation) is Literal:
        return []
    return [part for argument in get_args(annotation) for part in parts(argument)]


def in_words(annotation: Any, links: Mapping[type, str]) -> str:
    """A type in words; `links`: what stands for a dataclass."""
    origin = get_origin(annotation)
    arguments = get_args(annotation)

    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(in_words(argument, links) for argument in arguments)
    if origin in (tuple, list):
        inner = [argument for argument in arguments if argument is not Ellipsis]
        return f"list of {in_words(inner[0], links)}"
    if origin is not None and issubclass(origin, Mapping):
        return f"mapping to {in_words(arguments[1], links)}"
    if isinstance(annotation, TypeVar):
        return "any value"
    if annotation in links:
        return links[annotation]
    return WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)))
