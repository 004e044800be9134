"""Signs that a run fails in a way the papers describe (arXiv 2510.12096, 2506.17204), read from its evaluations.

Each is noted once, when it first shows: as a record, as a warning while the run goes on, and in its result. A sign is no
failure: the run goes on and counts. The limits are this project's choice where the papers give none.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

Evaluations = Sequence[dict[str, Any]]
"""Evaluation records of one run, in their order."""

COLLAPSED = 0.5
"""Share of its highest srank below which an encoder's rank has collapsed."""
DORMANT = 0.2
"""Share of dormant units above which a critic has lost its plasticity (arXiv 2510.12096: more than 20 percent at scale)."""
UNSTEADY, LOOKS = 0.5, 5
"""Standard deviation of the returns of so many evaluations, as a share of their mean, above which a policy is unsteady."""
LEARNED = 2.0
"""Times the untrained policy's return that a policy must have before its spread says anything."""


def encoder_rank_collapse(evaluations: Evaluations) -> float | None:
    """srank of the encoder as a share of the highest so far, if below COLLAPSED."""
    ranks = _figures(evaluations, "encoder", "srank")
    share = ranks[-1] / max(ranks) if ranks and max(ranks) > 0.0 else 1.0
    return share if share < COLLAPSED else None


def critic_dormant(evaluations: Evaluations) -> float | None:
    """Dormant share of the critic's units before activation, if above DORMANT."""
    ratios = _figures(evaluations, "critic", "dormant_ratio")
    return ratios[-1] if ratios and ratios[-1] > DORMANT else None


def actor_variance(evaluations: Evaluations) -> float | None:
    """Spread of the mean returns of the last LOOKS evaluations while learning, as a share of their mean, if above UNSTEADY."""
    untrained = math.fsum(evaluations[0]["returns"]) / len(evaluations[0]["returns"])
    learned = [
        math.fsum(record["returns"]) / len(record["returns"])
        for record in evaluations
        if record["diagnostics"]
    ]
    last = learned[-LOOKS:]
    if len(last) < LOOKS or statistics.fmean(last) <= LEARNED * untrained:
        return None
    share = statistics.stdev(last) / statistics.fmean(last)
    return share if share > UNSTEADY else None


SIGNATURES: dict[str, tuple[Callable[[Evaluations], float | None], str]] = {
    "encoder-rank-collapse": (
        encoder_rank_collapse,
        f"the encoder's srank fell below {COLLAPSED:.0%} of its highest",
    ),
    "critic-dormant": (
        critic_dormant,
        f"more than {DORMANT:.0%} of the critic's units are dormant",
    ),
    "actor-variance": (
        actor_variance,
        f"the last {LOOKS} evaluations spread by more than {UNSTEADY:.0%} of their mean",
    ),
}
"""Name -> (measure, or None while it does not show; meaning)."""


def new_signs(evaluations: Evaluations, known: Sequence[str]) -> list[dict[str, Any]]:
    """Signs that show at the last evaluation for the first time: name, agent step and measured value."""
    shown = {
        name: found
        for name, (look, _) in SIGNATURES.items()
        if name not in known and (found := look(evaluations)) is not None
    }
    return [
        {"name": name, "agent_step": evaluations[-1]["agent_step"], "value": value}
        for name, value in shown.items()
    ]


def _figures(evaluations: Evaluations, module: str, figure: str) -> list[float]:
    found = (record["diagnostics"].get(module, {}).get(figure) for record in evaluations)
    return [value for value in found if value is not None]
