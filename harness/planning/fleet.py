"""Cohorts for so many GPUs of one kind: sized by memory and by how many there are, longest first.

Hours are estimates, from rates that were measured on one card. A network larger than the measured
one counts as if products went at the rate that 40 members of that reach, which is too slow if
anything: wider products are faster.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

from harness.errors import UserError, suggestion
from harness.files import write_json
from harness.folder import Folder
from harness.planning.cohorts import Cohort, Cohorts, alike, partition, read_cohorts
from harness.planning.estimate import simulated_seconds
from harness.planning.plan import Plan
from harness.planning.sizing import ENOUGH, cohort_gib, declared_gib
from leaderboard.formats.run import Run

MEASURED_FLOPS = 20_510_408_704
"""Operations of one member's step in the network that cards were measured with: MR.Q's own width,
dog's sizes."""
CORES = 8
"""CPUs beside each GPU: simulators share them."""


@dataclass(frozen=True)
class Card:
    """A GPU whose rates were measured."""

    gib: float
    learning_ms: Mapping[str, Mapping[int, float]]
    """Precision -> members -> milliseconds of learning for an agent step of all members."""
    simulating: float
    """How many times as long as the catalogue says a CPU beside it simulates a step."""


CARDS = {
    # measured: results/README.md
    "h200": Card(
        gib=139.0,
        learning_ms={
            "float32": {1: 3.35, 8: 7.88, 20: 17.9, 40: 33.1},
            "tf32": {1: 2.73, 8: 5.12, 20: 10.3, 40: 18.5},
            "bfloat16": {1: 3.08, 8: 5.39, 20: 10.3, 40: 18.7},
        },
        simulating=5.15,  # 16 dogs on 8 CPUs: 8.24 ms an agent step of all
    ),
}
"""Name -> card."""


@dataclass(frozen=True)
class Fleet:
    """`--fleet`: so many GPUs, each for one cohort at a time."""

    gpus: int
    name: str

    @property
    def card(self) -> Card:
        """What was measured on one of them."""
        return CARDS[self.name]


@dataclass(frozen=True)
class Fitted:
    """Cohorts that fit a fleet, and what they take there."""

    cohorts: Cohorts
    members: int
    """Of the largest cohort, at most."""
    hours: float
    """Until the last cohort ends, when a GPU that is free takes the longest one that waits."""
    gpu_hours: float
    """Of all cohorts."""


def fleet_of(text: str) -> Fleet:
    """The fleet that `--fleet` names, as 8xh200. UserError for what is none."""
    match = re.fullmatch(r"([1-9]\d{0,4})x(\w+)", text)
    if match is None:
        raise UserError(f"--fleet {text}: expected so many GPUs and their name, as 8xh200.")
    if match[2] not in CARDS:
        raise UserError(
            f"--fleet {text}: no rates were measured on {match[2]}; there are some of"
            f" {', '.join(CARDS)}.{suggestion(match[2], CARDS)}"
        )
    return Fleet(int(match[1]), match[2])


def fit(plan: Plan, fleet: Fleet) -> Fitted:
    """Cohorts of the size that needs the fewest GPU hours, of those that end nearly as early as can
    be: ENOUGH of the best."""
    fitted = [_of_size(plan, fleet, members) for members in _sizes(plan, fleet.card)]
    best = min(each.hours for each in fitted)
    early = [each for each in fitted if each.hours * ENOUGH <= best]
    return min(early, key=lambda each: (each.gpu_hours, each.hours))


def write_cohorts(folder: Folder, cohorts: Cohorts) -> None:
    """Fix the cohorts of a plan's folder. UserError if it has others already."""
    before = read_cohorts(folder.path)
    if before is not None and before != cohorts:
        raise UserError(
            f"{folder.cohorts}: holds other cohorts, perhaps begun; choose another --out."
        )
    write_json(folder.cohorts, asdict(cohorts))


def cohort_seconds(plan: Plan, cohort: Cohort, card: Card) -> float:
    """Of a cohort on one such GPU: its learning, then its simulators on the CPUs beside it."""
    run = cohort.runs[0]
    steps = max(0, plan.budget.agent_steps - plan.agent_settings(run).learning_starts)
    learning = steps * _learning_ms(plan, run, len(cohort.runs), card) / 1000.0
    simulating = len(cohort.runs) * simulated_seconds(plan, run) * card.simulating / CORES
    return learning + simulating


def _sizes(plan: Plan, card: Card) -> Iterator[int]:
    """Members that a cohort may have: up to as many as were measured, as far as memory goes."""
    memory = declared_gib("cuda", card.gib)
    programs = [runs[0] for runs in alike(plan).values()]
    most = max(len(runs) for runs in alike(plan).values())
    largest = min(most, max(max(rates) for rates in card.learning_ms.values()))
    for members in range(1, largest + 1):
        if members == 1 or all(cohort_gib(plan, run, members) <= memory for run in programs):
            yield members


def _of_size(plan: Plan, fleet: Fleet, members: int) -> Fitted:
    """Cohorts of up to so many members, longest first."""
    cohorts = partition(plan, "cuda", members, declared_gib("cuda", fleet.card.gib))
    seconds = {cohort: cohort_seconds(plan, cohort, fleet.card) for cohort in cohorts.cohorts}
    longest = sorted(seconds, key=lambda cohort: -seconds[cohort])

    # Whichever GPU is free first takes the next one.
    loads = [0.0] * min(fleet.gpus, len(longest))
    for cohort in longest:
        heapq.heapreplace(loads, loads[0] + seconds[cohort])

    numbered = tuple(replace(cohort, index=index) for index, cohort in enumerate(longest))
    return Fitted(
        cohorts=replace(cohorts, cohorts=numbered),
        members=members,
        hours=max(loads) / 3600.0,
        gpu_hours=sum(seconds.values()) / 3600.0,
    )


def _learning_ms(plan: Plan, run: Run, members: int, card: Card) -> float:
    """Milliseconds of learning for an agent step of so many members."""
    rates = card.learning_ms[plan.precision]
    below = max(known for known in rates if known <= members)
    above = min(known for known in rates if known >= members)
    between = 0.0 if below == above else (members - below) / (above - below)
    measured = rates[below] + between * (rates[above] - rates[below])

    most = max(rates)
    share = plan.sizes[run.group].flops / MEASURED_FLOPS
    return max(measured, members * share * rates[most] / most)
