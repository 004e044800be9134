"""What can be done to one place of a JSON document (mutants.py)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 1e-9, 1e300, 2**31, 2**63, -0.0, 0.5),
    *("", "x", "..", "\x1b[2J", "\ud800", "quick", "own-x", "dense", "0" * 64),
    *([], {}, [0], {"x": 0}),
)
"""Values that are put in place of others."""

Container = dict[str, Any] | list[Any]


def places(document: Any) -> Iterator[tuple[Container, Any]]:
    """Every key of every mapping, every index of every list."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield document, key
            yield from places(value)
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield document, index
            yield from places(value)


def _odd(draws: random.Random, container: Any, key: Any) -> None:
    container[key] = draws.choice(ODD)


def _near(draws: random.Random, container: Any, key: Any) -> None:
    """A little more or less of a number, one letter of a text."""
    value = container[key]
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        container[key] = draws.choice(ODD)
    elif isinstance(value, int):
        container[key] = value + draws.choice([-1, 1, 10, 1000])
    elif isinstance(value, float):
        container[key] = value * draws.choice([0.5, 0.99, 1.01, 1.15, -1.0])
    else:
        at = draws.randrange(len(value) + 1)
        container[key] = value[:at] + draws.choice("a0Z.-/ ") + value[at + 1 :]


def _remove(draws: random.Random, container: Any, key: Any) -> None:
    del container[key]


def _add(draws: random.Random, container: Any, key: Any) -> None:
    if isinstance(container, dict):
        container[draws.choice(["x", "score", "ranked", "level", "revoked"])] = draws.choice(ODD)
    else:
        container.insert(key, draws.choice([*ODD, container[key]]))


def _rename(draws: random.Random, container: Any, key: Any) -> None:
    if isinstance(container, dict):
        container[draws.choice(["x", f"{key}_", "dense", "critic"])] = container.pop(key)
    else:
        container.reverse()


def _exchange(draws: random.Random, container: Any, key: Any) -> None:
    """Two values of one mapping or list change places."""
    other = draws.choice(list(container) if isinstance(container, dict) else range(len(container)))
    container[key], container[other] = container[other], container[key]


def _order(draws: random.Random, container: Any, key: Any) -> None:
    if isinstance(container, dict):
        container[key] = container.pop(key)
    else:
        draws.shuffle(container)


def _respell(draws: random.Random, container: Any, key: Any) -> None:
    """An equal number of another type."""
    value = container[key]
    if isinstance(value, int) and not isinstance(value, bool):
        container[key] = float(value)
    elif isinstance(value, float) and value.is_integer():
        container[key] = int(value)


EDITS: dict[str, Callable[[random.Random, Any, Any], None]] = {
    "odd value": _odd,
    "near value": _near,
    "removed": _remove,
    "added": _add,
    "renamed": _rename,
    "exchanged": _exchange,
    "order of keys": _order,
    "number's type": _respell,
}
"""Name -> what it does to a key of a mapping, or an index of a list."""
