"""The YAML half of the strict reader: text becomes plain data, data a frozen dataclass.

leaderboard/formats/document.py builds the dataclass; here its mistakes become UserErrors.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml

from harness.errors import UserError, suggestion
from leaderboard.formats.document import DocumentError
from leaderboard.formats.document import build as build_document

T = TypeVar("T")


class _StrictLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            name = str(key.value)
            if name in seen:
                line = f"{self.name}:{key.start_mark.line + 1}"
                raise UserError(f"{line}: key '{name}' is written twice; keep one of them.")
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
