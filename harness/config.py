"""One strict reader: YAML text to frozen dataclasses, every mistake named with its place and the nearest right name."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import yaml

from harness.errors import UserError, suggestion

T = TypeVar("T")


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise UserError(
                    f"{self.name}:{key.start_mark.line + 1}: key '{name}' is written twice; keep one of them."
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """The document in a file; UserError names the file and line of a mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error}).") from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Any:
    """The document in a string that came from `name`."""
    try:
        loader = _StrictLoader(text)
        loader.name = name
        return loader.get_single_data()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = str(
            getattr(error, "problem", None) or getattr(error, "reason", "") or "it ends too early"
        )
        raise UserError(f"{name}{line}: not valid YAML ({problem.splitlines()[0]}).") from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # a date that is none, a number of a million digits, brackets without end
        raise UserError(f"{name}: not valid YAML ({str(error).splitlines()[0]}).") from None


def build(kind: type[T], value: Any, place: str) -> T:
    """A dataclass from a mapping, every field checked against its type; `place` begins each message."""
    if not isinstance(value, Mapping):
        raise UserError(f"{place}: expected a mapping of settings, found {_show(value)}.")
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in value:
        if key not in fields:
            raise UserError(f"{_at(place, key)}: unknown key.{suggestion(key, fields)}")
    given = {key: convert(hints[key], item, _at(place, key)) for key, item in value.items()}
    for name, field in fields.items():
        missing = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if name not in given and missing:
            raise UserError(f"{place}: key '{name}' is missing.")
    try:
        return kind(**given)
    except ValueError as error:
        raise UserError(f"{place}: {error}.") from None


def convert(hint: Any, value: Any, place: str) -> Any:
    """A value as its type hint wants it: plain scalars, Literal, X | None, tuple[X, ...], dict[str, X], dataclasses."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return (
            None
            if value is None
            else convert(next(a for a in arguments if a is not type(None)), value, place)
        )
    if origin is Literal:
        if value not in arguments:
            raise UserError(
                f"{place}: {_show(value)} is not a choice.{suggestion(value, map(str, arguments))}"
            )
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise UserError(f"{place}: expected a list, found {_show(value)}.")
        return tuple(
            convert(arguments[0], item, f"{place}[{index}]") for index, item in enumerate(value)
        )
    if origin is dict:
        if not isinstance(value, Mapping):
            raise UserError(f"{place}: expected a mapping, found {_show(value)}.")
        return {
            convert(str, key, place): convert(arguments[1], item, _at(place, key))
            for key, item in value.items()
        }
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value, place)
    return value if hint is Any else _scalar(hint, value, place)


def _scalar(hint: type, value: Any, place: str) -> Any:
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint or (isinstance(value, float) and not math.isfinite(value)):
        wanted = {
            int: "a whole number",
            float: "a finite number",
            str: "text",
            bool: "true or false",
        }[hint]
        raise UserError(f"{place}: expected {wanted}, found {_show(value)}.")
    return value


def _at(place: str, key: object) -> str:
    """`file: a.b` for key b inside place `file: a`."""
    return f"{place}.{key}" if ": " in place else f"{place}: {key}"


def _show(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"


def apply_overrides(document: dict[str, Any], overrides: tuple[str, ...]) -> dict[str, Any]:
    """`--set a.b=value` entries written into a document (values are YAML); types and names are checked by `build`."""
    for override in overrides:
        path, separator, text = override.partition("=")
        if not separator or not all(path.split(".")):
            raise UserError(
                f"--set {override}: expected a.b=value, for example --set evaluation.episodes=5."
            )
        at: Any = document
        *parents, last = path.split(".")
        for parent in parents:
            at = at.setdefault(parent, {})
            if not isinstance(at, dict):
                raise UserError(f"--set {override}: '{parent}' is not a mapping.")
        at[last] = parse_yaml(text, f"--set {path}")
    return document


def check_names(names: tuple[str, ...], known: Any, place: str, what: str) -> None:
    """UserError unless there are names, each once, and all of them known."""
    if not names:
        raise UserError(f"{place}: expected at least one {what}.")
    for name in names:
        if name not in known:
            raise UserError(f"{place}: unknown {what} '{name}'.{suggestion(name, known)}")
    if len(set(names)) != len(names):
        raise UserError(f"{place}: a {what} is named twice.")
