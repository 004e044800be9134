"""What a suite can find: for each test the smallest true effect that it would show with a
probability of 80 percent, and how many seeds an effect takes.

Spreads of returns are those of MR.Q's published results, unless others are given; nobody has
published spreads of diagnostics. They are assumed to be the same for every regime. A regime that
collapses on some seeds scatters more.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scipy.special import stdtrit

from agents.diagnostics.names import FIGURES, OF_SAMPLES
from envs.tasks import TASKS
from harness.claims.words import Row
from harness.config import build, check_names, read_yaml
from harness.errors import UserError
from harness.planning.plan import Plan
from harness.planning.reader import load
from harness.words import count
from leaderboard.formats.suite import LOSSES, RETURNS, ZERO, Claim, diagnostic_of
from leaderboard.statistics import power
from leaderboard.statistics.claims import FEWEST
from leaderboard.statistics.references import METHODS

Spread = tuple[float, float]
"""Mean and standard deviation of a figure over seeds."""
Spreads = Mapping[str, Mapping[str, Spread]]
"""Figure -> task -> spread."""

EFFECTS = {"spread": 3.0, "failures": 0.5}
"""Figure -> the true effect for which seeds are counted where a claim states none."""
EFFECT = 0.2
"""The same of returns: a share of the other regime's mean."""
HUGE = 1.0
"""A return below another's cannot lose more, and twice another's return is no question of seeds."""


@dataclass(frozen=True)
class Finds:
    """What one test of a plan can find."""

    test: Claim
    seeds: int
    smallest: float | None
    """Smallest true effect that is found with 80 percent power, in the margin's unit; of a claim
    that something is no worse or as good, the smallest margin that could be shown. None: no spread
    of the figure is known, or no effect is found."""
    nothing: bool
    """Whether the test supports nothing that could be true with 80 percent power."""


def finds(plan: Plan, given: Spreads | None = None) -> list[Finds]:
    """What each test of a plan can find; `given`: spreads that come before published ones."""
    tests = plan.suite.claims
    families = Counter(test.family for test in tests)
    tasks = list(plan.observations)
    seeds = min(Counter(run.group for run in plan.runs).values())
    rows = list[Finds]()
    for test in tests:
        design = _design(test, tasks, families[test.family], given or {})
        if design is None:
            rows.append(Finds(test, seeds, None, seeds < FEWEST.get(test.figure, 2)))
            continue
        smallest = _smallest_effect(_nameless(design), seeds)
        finite = smallest if math.isfinite(smallest) else None
        rows.append(Finds(test, seeds, finite, finite is None or _useless(test, finite)))
    return rows


def _useless(test: Claim, smallest: float) -> bool:
    """Whether nobody would expect an effect so large, or a margin is smaller than what is shown."""
    if test.rule in ("no-worse", "equivalent"):
        return smallest > test.margin
    return test.figure in RETURNS and smallest > HUGE


def in_words(row: Finds) -> str:
    """From which effect on a test finds it."""
    if row.smallest is None:
        return "nothing" if row.nothing else "no spread is known"
    ending = ", above the margin: nothing" if row.nothing else ""
    if row.test.figure == "spread":
        return f"a factor of {row.smallest:.2g}{ending}"
    if row.test.figure == "failures" or row.test.unit == "share":
        return f"{100.0 * row.smallest:.0f} %{ending}"
    return f"{row.smallest:.3g}{ending}"


def warning(plan: Plan) -> str:
    """What to say before a plan is carried out that can decide none of its claims; else empty."""
    rows = finds(plan)
    if not rows or not all(row.nothing for row in rows):
        return ""
    seeds = rows[0].seeds
    return (
        f"{plan.suite.name} can find nothing: with {count(seeds, 'seed')} of each regime none of"
        f" its {len(rows)} tests supports its claim with 80 percent; `mst-bench plan` says from"
        " which effect on each would, and `mst-bench list claims` how many seeds it takes"
    )


def read_spreads(path: Path) -> Spreads:
    """Spreads in a YAML file: figure -> task -> [mean, standard deviation]. UserError: not so."""
    document = build(_File, {"spreads": read_yaml(path)}, str(path)).spreads
    for figure, tasks in document.items():
        # Nobody would notice a name that is written wrongly: published spreads would be taken.
        _, diagnostic = diagnostic_of(figure)
        known = (*FIGURES, *OF_SAMPLES) if diagnostic else RETURNS
        check_names((diagnostic or figure,), known, str(path), "figure")
        for task, numbers in tasks.items():
            check_names((task,), TASKS, f"{path}: {figure}", "task")
            if len(numbers) != 2 or numbers[1] <= 0.0:
                raise UserError(
                    f"{path}: {figure}.{task}: expected a mean and a standard deviation above 0."
                )
    return {
        figure: {task: (numbers[0], numbers[1]) for task, numbers in tasks.items()}
        for figure, tasks in document.items()
    }


@dataclass(frozen=True)
class _File:
    spreads: dict[str, dict[str, tuple[float, ...]]]


def _nameless(design: power.Design) -> power.Design:
    """The same design for all tests that differ in words alone, so that it is computed once."""
    claim = replace(design.claim, id="any", statement="any", source="any", family="any")
    than = ZERO if claim.than == ZERO else "other"
    return replace(design, claim=replace(claim, regime="any", than=than))


_smallest_effect = functools.cache(power.smallest_effect)
_seeds_needed = functools.cache(power.seeds_needed)


def _design(test: Claim, tasks: Sequence[str], tests: int, given: Spreads) -> power.Design | None:
    """The test before any run; None if no spread of its figure is known. `tests`: of its family."""
    method = METHODS.get(test.than)
    if test.figure in LOSSES:
        # Spreads are relative, and nobody expects the better regime to fail at all.
        rates = tuple(EFFECTS["failures"] for _ in tasks)
        return power.Design(test, rates, tuple(0.0 for _ in tasks), tests)
    spreads = _spreads(test.figure, tasks, given)
    if spreads is None:
        return None
    means = tuple(mean for mean, _ in spreads)
    deviations = tuple(deviation for _, deviation in spreads)
    return power.Design(test, means, deviations, tests, published=method.seeds if method else 0)


def _spreads(figure: str, tasks: Sequence[str], given: Spreads) -> list[Spread] | None:
    """The spread of a figure on each task; None where one is unknown. That of the last evaluation
    stands for all returns."""
    known: dict[str, Spread] = dict(given.get(figure, {}))
    if figure in RETURNS:
        known = {**published(), **given.get("score", {}), **known}
    if not all(task in known for task in tasks):
        return None
    return [known[task] for task in tasks]


def published() -> dict[str, Spread]:
    """Task -> spread of MR.Q's published last evaluations."""
    method = METHODS["MR.Q"]
    widths = float(stdtrit(method.seeds - 1, 0.975))
    root = math.sqrt(method.seeds)
    return {task: (mean, half / widths * root) for task, (mean, half) in method.returns.items()}


# -- seeds --


def seeds_in_words(row: Row) -> str:
    """Seeds that find a part of a claim with 80 percent, the most of its suites and tests."""
    assert row.part is not None, "a claim without tests needs no seeds"
    effect = row.part.effect or EFFECTS.get(row.part.figure, EFFECT)
    if row.part.rule in ("no-worse", "equivalent"):
        words = "if equal"
    elif row.part.figure == "spread":
        words = f"if {effect:g} times"
    else:
        words = f"if {100.0 * effect:g} %"

    needed = list[int]()
    for suite in row.part.suites:
        tasks, families = _suite(suite)
        design = _design(row.tests[0], tasks, families[row.part.family], {})
        if design is None:
            return "-"
        even = row.part.rule in ("no-worse", "equivalent")
        seeds = _seeds_needed(_nameless(design), None if even else effect)
        needed.append(seeds or power.MOST_SEEDS + 1)
    most = max(needed)
    return f"over {power.MOST_SEEDS} {words}" if most > power.MOST_SEEDS else f"{most} {words}"


@functools.cache
def _suite(name: str) -> tuple[tuple[str, ...], Counter[str]]:
    """Tasks of a shipped suite, and how many tests each of its families has."""
    resolved = load(name)
    return resolved.suite.tasks, Counter(test.family for test in resolved.claims)
