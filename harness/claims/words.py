"""Claims and their tests in the words of lists and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.claims import Part, Registered, how_judged, letter_of, stated_tests
from leaderboard.formats.suite import ZERO, Claim
from leaderboard.statistics.claims import margin_in_words

RELATIONS = {
    "above": "above",
    "below": "below",
    "no-worse": "no worse than",
    "equivalent": "as good as",
}
"""Rule -> what it says of a regime beside another."""
FEW = 5
"""Comparisons of a part that are written out; of more, the first two."""


@dataclass(frozen=True)
class Row:
    """One part of a claim, or a claim without tests."""

    id: str
    """Of the claim, with the letter of the part."""
    statement: str
    source: str
    part: Part | None
    tests: tuple[Claim, ...]
    otherwise: str
    """What judges the claim beside its tests, or what it waits for."""


def rows_of(claim: str, registered: Registered) -> list[Row]:
    """Every part of a claim; one row without tests if it has none."""
    otherwise = how_judged(registered)
    if not registered.tests:
        return [Row(claim, registered.statement, registered.source, None, (), otherwise)]

    rows = list[Row]()
    for index, part in enumerate(registered.tests):
        tests = tuple(test for owner, test in stated_tests(claim) if owner is part)
        statement = part.statement or registered.statement
        called = f"{claim}{letter_of(registered, index)}"
        rows.append(Row(called, statement, registered.source, part, tests, otherwise))
    return rows


def in_words(tests: Sequence[Claim]) -> str:
    """What the tests of a part say: figure, comparisons, rule and margin."""
    first = tests[0]
    shown = tests if len(tests) <= FEW else tests[:2]
    level = first.rule == "equivalent" and first.than == ZERO
    comparisons = _comparisons(shown, "near" if level else RELATIONS[first.rule])
    more = f" and {len(tests) - len(shown)} more" if len(tests) > len(shown) else ""
    each = " on each task" if first.over == "each" else ""
    return f"{first.figure} of {comparisons}{more}{each}, margin {margin_in_words(first)}"


def _comparisons(tests: Sequence[Claim], relation: str) -> str:
    """Comparisons that share a side as one: `mst above dense, sst`."""
    thans = list(dict.fromkeys(test.than for test in tests))
    regimes = list(dict.fromkeys(test.regime for test in tests))
    if len(thans) == 1 or len(regimes) == 1:
        return f"{', '.join(regimes)} {relation} {', '.join(thans)}"
    return ", ".join(f"{test.regime} {relation} {test.than}" for test in tests)
