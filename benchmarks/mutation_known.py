"""Mutants that no test noticed when an audit made them by hand: does one notice them now?

    python benchmarks/mutation_known.py results/mutation-testing-known.csv

mutation_testing.py draws at random; these are chosen, and their files are not all among its own.
Each is an edit of one piece of text, tried in a scratch copy of the tree against the tests that
belong to it. Exit code 1: one of them survived.
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from mutation_testing import ROOT
from mutation_trials import Scratch


class Known(NamedTuple):
    """One edit."""

    what: str
    file: str
    old: str
    """Text that stands once in the file."""
    new: str
    tests: str
    """The test file that must notice it."""


LEARNER = "tests/agents/test_learner.py"
CONTRASTS = "tests/leaderboard/test_contrasts.py"
CLAIMS = "tests/leaderboard/test_claims.py"
VERDICTS = "tests/leaderboard/test_wrong_verdicts.py"
RULES = "tests/leaderboard/test_rules.py"

KNOWN = (
    Known(
        "exploration noise is halved",
        "agents/mrq/agent.py",
        "noise * self.settings.exploration_noise",
        "noise * 0.5 * self.settings.exploration_noise",
        LEARNER,
    ),
    Known(
        "warm-up actions lie in [0, 1)",
        "agents/off_policy.py",
        "2.0 * self.random.next() - 1.0",
        "self.random.next()",
        LEARNER,
    ),
    Known(
        "gradients are clipped before they are masked",
        "agents/members/module.py",
        """        if self.keep is not None:
            gradient = gradient * self.keep
        if self.clip is not None:
            gradient = gradient.clone() if self.keep is None else gradient
            self._clip(gradient)
""",
        """        if self.clip is not None:
            gradient = gradient.clone()
            self._clip(gradient)
        if self.keep is not None:
            gradient = gradient * self.keep
""",
        LEARNER,
    ),
    Known(
        "declared contrasts are not adjusted by Holm",
        "leaderboard/statistics/contrasts.py",
        "adjusted = holm([test.p for test in tests])",
        "adjusted = [test.p for test in tests]",
        CONTRASTS,
    ),
    Known(
        "Holm adjusts all families of contrasts as if they had one member",
        "leaderboard/statistics/stats.py",
        "(len(values) - rank) * values[index]",
        "values[index]",
        CONTRASTS,
    ),
    Known(
        "claims of a family are not adjusted by Holm",
        "leaderboard/statistics/claims.py",
        "values = holm([outcomes[index].p for index in members])",
        "values = [outcomes[index].p for index in members]",
        CLAIMS,
    ),
    Known(
        "published means have no error",
        "leaderboard/statistics/claims.py",
        "Mean(method.seeds, mean, half / widths * root, half)",
        "Mean(method.seeds, mean, 0.0, half)",
        VERDICTS,
    ),
    Known(
        "the replay of a terminating task has no room for last observations",
        "agents/mrq/spec.py",
        "episodes = agent_steps if task.terminates else agent_steps // task.episode_steps",
        "episodes = agent_steps // task.episode_steps",
        LEARNER,
    ),
    Known(
        "updates run beside the simulator on a terminating task",
        "agents/off_policy.py",
        "self.algorithm.overlaps() and not self.setup.task.terminates",
        "self.algorithm.overlaps()",
        LEARNER,
    ),
    Known(
        "an equivalence needs only one of its two tests",
        "leaderboard/statistics/rules.py",
        "max(lower.above, upper.below)",
        "min(lower.above, upper.below)",
        RULES,
    ),
)


def main() -> None:
    """Tries all of them and writes what became of each."""
    survivors = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        Path(sys.argv[1]).open("w", newline="") as table,
    ):
        scratch = Scratch(ROOT, Path(folder) / "tree")
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("what", "file", "outcome", "by"))
        for known in KNOWN:
            code = (ROOT / known.file).read_text()
            assert code.count(known.old) == 1, f"{known.file} has changed: {known.old}"
            with scratch.changed(known.file, code.replace(known.old, known.new)):
                trial = scratch.trial([known.tests])
            survivors += trial.outcome == "survived"
            writer.writerow((known.what, known.file, trial.outcome, trial.by))
            print(f"{trial.outcome:8} {known.what}  {trial.by}", flush=True)
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
