"""The YAML half of the strict reader: text becomes plain data, data a frozen dataclass.

leaderboard/formats/document.py builds the dataclass; here its mistakes become UserErrors.

Numbers are read as YAML 1.2 reads them: `1e-3` is one. A whole number with an exponent, as `1e6`,
is an integer up to 2**53, where floats stop to hold every integer; fields of either type take it.
A file comes from a stranger now and then: its size, its aliases and its numbers have limits.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import yaml

from harness.errors import UserError, suggestion
from leaderboard.formats.document import DocumentError
from leaderboard.formats.document import build as build_document

T = TypeVar("T")


FLOAT = re.compile(
    r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z"
)
"""A float of YAML 1.2's core schema. Integers, as `7`, are tried before it."""
LARGEST = 2**53 - 1
"""The largest integer that a float, and so a plan (RFC 8785), holds exactly."""
FILE_BYTES = 2**16
"""Size of the largest file that is read; the largest shipped suite has 1.5 KiB."""
NODES = 100_000
"""Keys and values of a document, those that aliases repeat included."""
DEPTH = 50
"""Levels of a document."""
Measured = dict[int, tuple[int, int]]
"""id of a node -> its nodes and levels."""


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice, and reads numbers as YAML 1.2 does."""

    def refuse(self, node: yaml.Node, problem: str) -> UserError:
        """The error about a node, with its line in a file."""
        line = "" if self.name.startswith("--") else f":{node.start_mark.line + 1}"
        return UserError(f"{self.name}{line}: {problem}.")

    def construct_number(self, node: yaml.ScalarNode) -> float | int:
        """A float; a whole number that was written with an exponent is an integer."""
        number = float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))
        if "e" in node.value.lower() and number.is_integer() and abs(number) <= LARGEST:
            return int(number)
        return number

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        """An integer that a plan can hold."""
        number: int = self.construct_yaml_int(node)
        if abs(number) > LARGEST:
            raise self.refuse(node, f"{node.value[:30]} is larger than 2**53, too large a number")
        return number

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                raise self.refuse(key, f"key '{name}' is written twice; keep one of them")
            seen.add(name)
        return super().construct_mapping(node, deep)

    def document(self) -> Any:
        """The only document of the text, which is measured before anything is made of it."""
        node = self.get_single_node()
        if node is None:
            return None
        self.measure(node, {})
        return self.construct_document(node)

    def measure(self, node: yaml.Node, measured: Measured) -> tuple[int, int]:
        """Nodes and levels of a node, an alias counted as what it repeats."""
        if not isinstance(node, yaml.CollectionNode):
            return 1, 1
        if id(node) in measured:
            return measured[id(node)]

        # Met again before its own children are measured, it is inside itself: without an end.
        measured[id(node)] = (1, DEPTH)
        size = 1
        height = 1
        for part in node.value:
            for child in part if isinstance(part, tuple) else (part,):
                below = self.measure(child, measured)
                size += below[0]
                height = max(height, 1 + below[1])
        if size > NODES:
            raise self.refuse(node, f"aliases and all, it has more than {NODES:,} keys and values")
        if height > DEPTH:
            raise self.refuse(node, f"more than {DEPTH} levels deep")
        measured[id(node)] = (size, height)
        return size, height


def _with_numbers_of_yaml_1_2() -> None:
    """The loader knows no other float than FLOAT, and bounds its integers."""
    tag = "tag:yaml.org,2002:float"
    _StrictLoader.yaml_implicit_resolvers = {
        first: [row for row in rows if row[0] != tag]
        for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _StrictLoader.add_implicit_resolver(tag, FLOAT, list("-+.0123456789"))
    _StrictLoader.add_constructor(tag, _StrictLoader.construct_number)
    _StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.construct_integer)


_with_numbers_of_yaml_1_2()


def read_yaml(path: Path) -> Any:
    """The document in a file; UserError names the file and line of a mistake."""
    try:
        # No more than the limit is read, of a device without an end too.
        with open(path, "rb") as file:
            content = file.read(FILE_BYTES + 1)
        text = content.decode()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: cannot be read (byte {error.start} is no UTF-8).") from None
    if len(content) > FILE_BYTES:
        raise UserError(f"{path}: is larger than {FILE_BYTES // 2**10} KiB, which no suite is.")
    return parse_yaml(text, str(path))


def parse_yaml(text: str, name: str) -> Any:
    """The document in a string that came from `name`."""
    try:
        loader = _StrictLoader(text)
        loader.name = name
        return loader.document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark and not name.startswith("--") else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", None)
        sentence = str(problem or "it ends too early").splitlines()[0]
        raise UserError(f"{name}{line}: not valid YAML ({sentence}).") from None
    except (ValueError, RecursionError) as error:
        # PyYAML raises these for an invalid date, an overlong integer, or too deep nesting.
        raise UserError(f"{name}: not valid YAML ({str(error).splitlines()[0]}).") from None


def build(cls: type[T], document: object, location: str) -> T:
    """`leaderboard.formats.document.build`, whose mistakes are the user's here: UserError."""
    try:
        return build_document(cls, document, location)
    except DocumentError as error:
        raise UserError(str(error)) from None


@contextmanager
def blaming(overrides: tuple[str, ...], location: str) -> Iterator[None]:
    """A UserError of the block that begins `location: a.b`, where a.b was overridden, is said of
    the override instead of the file."""
    try:
        yield
    except UserError as error:
        for override in overrides:
            path, _, value = override.partition("=")
            keys = r"(?:\.|: )".join(map(re.escape, path.split(".")))
            blamed = re.match(rf"{re.escape(location)}: {keys}(?![\w-])", str(error))
            if blamed:
                sentence = f"--set {path}{str(error)[blamed.end() :]}"
                if "expected a list" in sentence:
                    sentence += f' A list is written "{path}=[{value}]".'
                raise type(error)(sentence) from None
        raise


def apply_overrides(document: dict[str, Any], overrides: tuple[str, ...]) -> dict[str, Any]:
    """`--set a.b=value` entries written into a document. Values are YAML; `build` checks types
    and names."""
    for override in overrides:
        path, separator, text = override.partition("=")
        if not separator or not all(path.split(".")):
            raise UserError(
                f"--set {override}: expected a.b=value, for example --set evaluation.episodes=5."
            )

        # Mappings on the way to the key are made where the suite's file states none.
        *parents, key = path.split(".")
        mapping: Any = document
        for parent in parents:
            mapping = mapping.setdefault(parent, {})
            if not isinstance(mapping, dict):
                raise UserError(f"--set {override}: '{parent}' is not a mapping.")
        mapping[key] = parse_yaml(text, f"--set {path}")
    return document


def check_names(
    names: tuple[str, ...], known: Collection[str], location: str, singular: str
) -> None:
    """UserError unless there are names, each once, and all of them known; `singular` is what
    one of them is called."""
    if not names:
        raise UserError(f"{location}: expected at least one {singular}.")
    for name in names:
        if name not in known:
            raise UserError(f"{location}: unknown {singular} '{name}'.{suggestion(name, known)}")
    if len(set(names)) != len(names):
        raise UserError(f"{location}: a {singular} is named twice.")
