"""Failure signatures: patterns of failing learning that the papers describe, read from evaluations.

Sources: arXiv 2510.12096 and 2506.17204. A signature is recorded once, when it first shows: as a
record, as a warning during the run, and in its result. It is no failure: the run continues and
counts. The limits are this project's choice where the papers give none.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.training.records import Record

Evaluations = Sequence[Record]
"""Evaluation records of one run, in their order."""

COLLAPSED = 0.5
"""Share of its highest rank below which an encoder's rank has collapsed."""
DORMANT = 0.2
"""Share of dormant units above which a critic has lost its plasticity (arXiv 2510.12096: more than
20 percent at scale)."""
UNSTEADY = 0.5
"""Standard deviation of recent returns, as a share of their mean, above which a policy is
unsteady."""
LOOKS = 5
"""Evaluations that count as recent."""
LEARNED = 2.0
"""A policy's spread says something once its return is this many times the untrained one's."""


def encoder_rank_collapse(evaluations: Evaluations) -> float | None:
    """Rank of the encoder, on all rows of the probe, as a share of the highest so far, if below
    COLLAPSED."""
    ranks = _figures(evaluations, "encoder", "srank_4096")
    if not ranks or max(ranks) <= 0.0:
        return None
    share = ranks[-1] / max(ranks)
    return share if share < COLLAPSED else None


def critic_dormant(evaluations: Evaluations) -> float | None:
    """Dormant share of the critic's units before activation, if above DORMANT."""
    ratios = _figures(evaluations, "critic", "dormant_ratio")
    return ratios[-1] if ratios and ratios[-1] > DORMANT else None


def actor_variance(evaluations: Evaluations) -> float | None:
    """Spread of the mean returns of the last LOOKS evaluations while learning, as a share of their
    mean, if above UNSTEADY."""
    untrained = _mean_return(evaluations[0])
    learned = [_mean_return(record) for record in evaluations if record["diagnostics"]]
    recent = learned[-LOOKS:]
    if len(recent) < LOOKS or statistics.fmean(recent) <= LEARNED * untrained:
        return None
    share = statistics.stdev(recent) / statistics.fmean(recent)
    return share if share > UNSTEADY else None


@dataclass(frozen=True)
class Signature:
    """How a pattern is measured, and what it means."""

    measure: Callable[[Evaluations], float | None]
    """The measured value, or None while the pattern does not show."""
    meaning: str


SIGNATURES: dict[str, Signature] = {
    "encoder-rank-collapse": Signature(
        encoder_rank_collapse, f"the encoder's rank fell below {COLLAPSED:.0%} of its highest"
    ),
    "critic-dormant": Signature(
        critic_dormant, f"more than {DORMANT:.0%} of the critic's units are dormant"
    ),
    "actor-variance": Signature(
        actor_variance,
        f"the last {LOOKS} evaluations spread by more than {UNSTEADY:.0%} of their mean",
    ),
}
"""Name -> signature."""


def new_signatures(evaluations: Evaluations, known: Sequence[str]) -> list[Record]:
    """Signatures that show at the last evaluation for the first time, each with its measured
    value."""
    shown = []
    for name, signature in SIGNATURES.items():
        value = None if name in known else signature.measure(evaluations)
        if value is not None:
            agent_step = evaluations[-1]["agent_step"]
            shown.append({"name": name, "agent_step": agent_step, "value": value})
    return shown


def in_words(signature: Record) -> str:
    """A recorded signature as a warning."""
    meaning = SIGNATURES[signature["name"]].meaning
    return f"agent step {signature['agent_step']}: {meaning} ({signature['value']:.2f})"


def _mean_return(record: Record) -> float:
    return math.fsum(record["returns"]) / len(record["returns"])


def _figures(evaluations: Evaluations, module: str, figure: str) -> list[float]:
    """A diagnostic of every evaluation that measured it; an algorithm may lack the module."""
    values = (record["diagnostics"].get(module, {}).get(figure) for record in evaluations)
    return [value for value in values if value is not None]
