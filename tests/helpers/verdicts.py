"""Claims about scores made by hand, and what is found of them."""

import json

import numpy as np

from helpers.statements import stated
from leaderboard.formats.suite import Claim
from leaderboard.statistics import measures
from leaderboard.statistics.claims import findings
from leaderboard.statistics.figures import figures
from leaderboard.statistics.scores import scored

TEN = np.linspace(-1.4, 1.4, 10)
"""Ten seeds about their mean, in standard deviations: they have 0.94 of one."""
BUDGET = 1_000_000
"""Environment steps of published results."""
FAILED = None
"""Score of a run that failed."""
EACH_MEASURE = [
    measures.shares,
    measures.differences,
    measures.paired_shares,
    measures.paired_differences,
    measures.spreads,
    measures.rates,
]


def claim(rule="above", than="dense", **changes):
    """A claim about mst."""
    over = "each" if rule == "equivalent" else "mean"
    fields = {"figure": "score", "margin": 0.05, "family": "headline", "over": over} | changes
    fields |= {"regime": "mst", "than": than, "rule": rule}
    read = json.loads(json.dumps(fields))  # as claims come, from a file
    return Claim("A1", "what is claimed", "arXiv 2510.12096", **read)


def judged(claims, cells, budget=BUDGET):
    """The findings of claims about cells: (task, regime) -> scores of the seeds."""
    runs = scored(
        stated(regime, seed, score, task=task, status="failed" if score is FAILED else "finished")
        for (task, regime), scores in cells.items()
        for seed, score in enumerate(scores)
    )
    names = {claim.figure for claim in claims}
    values = {run.name: figures(names, run, (), budget) for run in runs}
    return findings(claims, runs, values, budget)


def verdict(claim, cells, budget=BUDGET):
    """The verdict of a single claim."""
    (finding,) = judged([claim], cells, budget)
    return finding.verdict


def drawn(generator, mean, deviation, seeds):
    """Normal scores."""
    return (mean + deviation * generator.standard_normal(seeds)).tolist()
