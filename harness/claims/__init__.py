"""Every claim that this project judges or means to judge: the papers', the lists', and its own.

The YAML files here state each claim in its source's sense, with the tests that suites make of it or
what it waits for. docs/claims.md is made from them (`make tables`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agents.diagnostics.names import FIGURES, OF_SAMPLES
from harness.config import build, check_names, read_yaml
from harness.errors import UserError, suggestion
from leaderboard.formats.suite import Claim, diagnostic_of

FILES = ("paper-a", "paper-b", "lists", "ours")
"""The registry, in the order in which it is listed."""

WAITS = {
    "algorithm": "an algorithm",
    "architecture": "an architecture",
    "diagnostic": "a diagnostic",
    "figure": "a figure",
    "pixels": "observations of pixels",
    "resets": "periodic resets",
    "tasks": "other tasks",
}
"""What a claim can wait for: name -> in words."""

UNJUDGED = {
    "quick": "shows that everything works, on a task that all regimes learn",
    "smoke": "learns nothing",
    "ci-tiny": "is what the regression gate compares with its baseline",
}
"""Shipped suites that no claim is about -> why."""


@dataclass(frozen=True)
class Part:
    """One part of a claim, and the comparisons that judge it."""

    suites: tuple[str, ...]
    """The shipped suites that make these comparisons."""
    family: str
    """Tests of a suite that are adjusted together."""
    pairs: tuple[tuple[str, ...], ...]
    """Regime and what it is compared with, each pair a test."""
    rule: Literal["above", "below", "no-worse", "equivalent"]
    margin: float
    """The smallest difference that counts; docs/claims.md says why it is what it is."""
    statement: str = ""
    """In words, where it is not the whole claim."""
    figure: str = "score"
    unit: Literal["share", "own"] = "share"
    over: Literal["mean", "each"] = "mean"
    paired: bool = False
    effect: float | None = None
    """The true difference for which seeds are counted; None: EFFECTS of the rule."""

    def __post_init__(self) -> None:
        for pair in self.pairs:
            if len(pair) != 2:
                raise ValueError(f"pairs: {list(pair)} is no regime and what it is compared with")


@dataclass(frozen=True)
class Registered:
    """A claim of the registry."""

    statement: str
    """One sentence, in the source's sense."""
    source: str
    """arXiv number with its section, the list that names it, or `ours`."""
    tests: tuple[Part, ...] = ()
    judged_by: tuple[str, ...] = ()
    """Claims whose tests judge this one too."""
    waits_for: str = ""
    """A row of WAITS, or empty: nothing is lacking."""
    missing: str = ""
    """What it waits for, in a sentence."""

    def __post_init__(self) -> None:
        if not (self.tests or self.judged_by or self.waits_for):
            raise ValueError("has neither tests nor judged_by nor waits_for")
        if self.waits_for and self.waits_for not in WAITS:
            raise ValueError(
                f"unknown waits_for '{self.waits_for}'.{suggestion(self.waits_for, WAITS)}"
            )
        if bool(self.waits_for) != bool(self.missing):
            raise ValueError("waits_for and missing say the same: state both, or neither")


@functools.cache
def read_file(name: str) -> dict[str, Registered]:
    """Id -> claim, of one file of FILES."""
    path = Path(__file__).with_name(f"{name}.yaml")
    return {
        claim: build(Registered, row, f"{path.name}: {claim}")
        for claim, row in read_yaml(path).items()
    }


@functools.cache
def registry() -> dict[str, Registered]:
    """Id -> claim, of all files."""
    claims = dict[str, Registered]()
    for name in FILES:
        claims |= read_file(name)
    return claims


def stated_tests(claim: str) -> Iterator[tuple[Part, Claim]]:
    """Every test of a claim, with its part: ids A7; A3a, A3b of its parts; A3b1, A3b2 of several
    comparisons of one part."""
    registered = registry()[claim]
    for index, part in enumerate(registered.tests):
        letter = letter_of(registered, index)
        for number, (regime, than) in enumerate(part.pairs):
            # A single part needs no letter of its own, so its comparisons have them.
            last = ""
            if len(part.pairs) > 1:
                last = str(number + 1) if letter else chr(ord("a") + number)
            yield (
                part,
                Claim(
                    id=f"{claim}{letter}{last}",
                    statement=part.statement or registered.statement,
                    source=registered.source,
                    family=part.family,
                    regime=regime,
                    than=than,
                    figure=part.figure,
                    rule=part.rule,
                    margin=part.margin,
                    unit=part.unit,
                    over=part.over,
                    paired=part.paired,
                ),
            )


def letter_of(claim: Registered, part: int) -> str:
    """The letter of a part in ids; a single part needs none."""
    return chr(ord("a") + part) if len(claim.tests) > 1 else ""


def suite_tests(
    suite: str, claims: Sequence[str], comparable: Sequence[str], modules: Sequence[str]
) -> tuple[Claim, ...]:
    """The tests that a suite makes of claims; `comparable`: its regimes, the published methods and
    `zero`.

    A suite that no test of a claim names makes all of them. A suite that was changed makes those
    whose regimes and modules are left. UserError: a claim that cannot be tested.
    """
    tests = list[Claim]()
    for claim in claims:
        registered = registry().get(claim)
        if registered is None:
            raise UserError(f"claims: unknown claim '{claim}'.{suggestion(claim, registry())}")
        if not registered.tests:
            raise UserError(f"claims: {claim} has no test; {how_judged(registered)}.")
        named = any(suite in part.suites for part in registered.tests)
        for part, test in stated_tests(claim):
            module, _ = diagnostic_of(test.figure)
            measurable = not module or module in modules
            here = suite in part.suites or not named
            if here and measurable and {test.regime, test.than} <= set(comparable):
                tests.append(test)
    return tuple(tests)


def check_tests(
    tests: Sequence[Claim],
    regimes: Sequence[str],
    comparable: Sequence[str],
    modules: Sequence[str],
    location: str,
) -> None:
    """UserError for a test of a suite's own about a regime or a module that it does not train or a
    figure that nobody measures, or under an id that another test has."""
    taken = {test.id for claim in registry() for _, test in stated_tests(claim)}
    for test in tests:
        # Whoever reads A14a in a report takes it for the registry's.
        if test.id in {*taken, *registry()}:
            raise UserError(f"{location}: id '{test.id}' is taken; give yours another.")
        taken.add(test.id)
        check_names((test.regime,), regimes, location, "regime of the suite")
        check_names(
            (test.than,), comparable, location, "regime of the suite, reference method or level"
        )
        module, diagnostic = diagnostic_of(test.figure)
        if not module:
            continue
        if module not in modules:
            raise UserError(
                f"{location}: figure: no module '{module}', expected one of {', '.join(modules)}."
            )
        measured = (*FIGURES, *OF_SAMPLES)
        check_names((diagnostic,), measured, f"{location}: figure", "diagnostic")


def how_judged(claim: Registered) -> str:
    """What judges a claim beside its own tests, or what it waits for, in words."""
    words = []
    if claim.judged_by:
        words.append(f"judged by {', '.join(claim.judged_by)}")
    if claim.waits_for:
        words.append(f"waits for {WAITS[claim.waits_for]}: {claim.missing}")
    return "; ".join(words)
