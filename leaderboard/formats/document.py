"""The strict builder: plain data, as JSON or YAML gives it, becomes frozen dataclasses.

A document must fit its type. An unknown key, a missing key, a wrong type or a value out of its
limits is a DocumentError: one sentence with the location, what was expected and the nearest name.

A field may be str, int, float (a whole number counts as one), bool, Literal, X | None,
tuple[X, ...], dict[str, X], a dataclass, or `object`, which is kept as it is.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import reprlib
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, Union

from leaderboard.formats import strict_json

T = TypeVar("T")

SCALARS: dict[object, str] = {
    int: "a whole number",
    float: "a finite number",
    str: "text",
    bool: "true or false",
}
"""Plain type -> what a sentence calls it."""


KINDS = {int: "number", float: "number", str: "text", list: "list", dict: "mapping"}
"""Type of a value -> what a sentence calls it."""
_BRIEF = reprlib.Repr()
_BRIEF.maxlevel = 3
_BRIEF.maxstring = 60


class DocumentError(ValueError):
    """A document is not what its type says; the text is one sentence on one line."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """`text` with control characters and lone surrogates spelled out: strangers wrote parts of it,
    and a terminal would obey them."""
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


def suggestion(name: object, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the nearest known name, else the list of them."""
    names = list(known)
    nearest = difflib.get_close_matches(str(name), names, n=1)
    return f" Did you mean '{nearest[0]}'?" if nearest else f" Known: {', '.join(names)}."


def parse(cls: type[T], content: bytes, location: str) -> T:
    """A dataclass from the bytes of a JSON document; DocumentError says what is wrong with them.

    Callers that checked a file's digest hand over the very bytes that they checked.
    """
    return build(cls, parse_json(content, location), location)


def parse_json(content: bytes, location: str) -> object:
    """Plain data from the bytes of a JSON document; DocumentError if they are none."""
    try:
        return strict_json.parse(content)
    except ValueError as error:
        raise DocumentError(f"{location}: not readable JSON: {error}.") from None


def build(cls: type[T], document: object, location: str) -> T:
    """A dataclass from a mapping, every field checked against its type.

    `location` begins each message: a file's name, or `file: a.b` for a part of it.
    Raises DocumentError, also for the ValueError of a `__post_init__`.
    """
    if not isinstance(document, Mapping):
        raise DocumentError(f"{location}: expected a mapping of settings, found {shown(document)}.")
    hints, required = _fields(typing.cast(type, cls))

    # Unknown keys come first: a misspelt key is both unknown and missing.
    for key in document:
        if key not in hints:
            raise DocumentError(f"{_below(location, key)}: unknown key.{suggestion(key, hints)}")

    # Every value as its field asks for it, and none that must be stated left out.
    values = {
        key: convert(hints[key], value, _below(location, key)) for key, value in document.items()
    }
    for name in required:
        if name not in values:
            raise DocumentError(f"{location}: key '{name}' is missing.")

    # Limits that concern several fields stand in the dataclass itself.
    try:
        return cls(**values)
    except ValueError as error:
        raise DocumentError(f"{location}: {error}.") from None


@functools.cache
def _fields(cls: type) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Type of each field that a document may state, and the names of those that it must."""
    hints = typing.get_type_hints(cls)
    fields = [field for field in dataclasses.fields(cls) if field.init]
    required = [
        field.name
        for field in fields
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return {field.name: hints[field.name] for field in fields}, tuple(required)


def convert(hint: Any, value: object, location: str) -> Any:
    """`value` as its type hint asks for it; DocumentError if it is not."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)

    # X | None, or None alone
    if value is None and (hint is type(None) or type(None) in arguments):
        return None
    if origin in (Union, types.UnionType):
        some = next(argument for argument in arguments if argument is not type(None))
        return convert(some, value, location)

    # Choices, then everything that has parts.
    if hint is type(None):
        raise DocumentError(f"{location}: expected null, found {shown(value)}.")
    if origin is Literal:
        # True equals 1, and 1.0 does: the type counts too.
        if not any(type(value) is type(choice) and value == choice for choice in arguments):
            choices = suggestion(value, map(str, arguments))
            raise DocumentError(f"{location}: {shown(value)} is not a choice.{choices}")
        return value
    if origin is tuple:
        return _list(arguments[0], value, location)
    if origin is dict:
        return _mapping(arguments[1], value, location)
    if dataclasses.is_dataclass(hint):
        return build(typing.cast(type, hint), value, location)

    # One value.
    if hint is object:
        return value
    return _scalar(hint, value, location)


def _list(hint: Any, value: object, location: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise DocumentError(f"{location}: expected a list, found {shown(value)}.")
    return tuple(
        convert(hint, element, f"{location}[{index}]") for index, element in enumerate(value)
    )


def _mapping(hint: Any, value: object, location: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise DocumentError(f"{location}: expected a mapping, found {shown(value)}.")
    return {
        _scalar(str, key, location): convert(hint, element, _below(location, key))
        for key, element in value.items()
    }


def _scalar(hint: object, value: object, location: str) -> Any:
    """A plain value. `type` is compared exactly: True is an int to `isinstance`."""
    if hint is float and type(value) is int:
        try:
            return float(value)
        except OverflowError:
            pass  # a whole number of more than 308 digits: refused below
    if type(value) is not hint or (isinstance(value, float) and not math.isfinite(value)):
        raise DocumentError(f"{location}: expected {SCALARS[hint]}, found {shown(value)}.")
    return value


def _below(location: str, key: object) -> str:
    """`file: a.b` for key b inside `file: a`."""
    return f"{location}.{key}" if ": " in location else f"{location}: {key}"


def shown(value: object) -> str:
    """The kind of a value in a reader's words, and its beginning.

    No more than the beginning is looked at: a stranger may have written much of it.
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    try:
        return f"{KINDS.get(type(value), type(value).__name__)} {_BRIEF.repr(value)}"
    except ValueError:  # an integer of more digits than Python prints
        return "a number of thousands of digits"
