"""What a finished study says of its claims: the verdicts of its report, and the scores behind them.

    python benchmarks/verdicts.py out/<plan id> [--json FILE]

The entry is verified first. Prints a table, a row for each test.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from tabulate import tabulate

from harness.entries.verified import Verified, verified
from leaderboard.formats.records import learning_curves
from leaderboard.statistics.claims import Finding, findings
from leaderboard.statistics.figures import figures
from leaderboard.statistics.scores import Scored, scored


def judged(entry: Verified, runs: list[Scored]) -> list[Finding]:
    """The claims of an entry, tested on its runs as its report tests them."""
    claims = entry.plan.suite.claims
    budget = entry.plan.budget.environment_steps
    names = {claim.figure for claim in claims}
    curves = learning_curves(runs, entry.read_if_signed)
    figures_of = {
        run.name: figures(names, run, curve.evaluations, budget)
        for run, curve in zip(runs, curves, strict=True)
    }
    return findings(claims, runs, figures_of, budget)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="out/<plan id>, of a finished run")
    parser.add_argument("--json", type=Path, help="where scores and verdicts go")
    arguments = parser.parse_args()

    entry = verified(arguments.folder)
    runs = scored(entry.runs, entry.fresh)
    rows = judged(entry, runs)
    table = [
        [row.claim.id, row.compared, row.statistic, row.claim.family, row.verdict] for row in rows
    ]
    headers = ["claim", "compared", "statistic", "family", "verdict"]
    print(tabulate(table, headers=headers, tablefmt="github", disable_numparse=True))
    if arguments.json:
        plan = entry.plan
        document = {
            "plan": plan.id,
            "suite": plan.suite.name,
            "version": plan.suite.version,
            "changes": plan.suite.changes,
            "scores": {run.name: run.counted for run in runs},
            "findings": [asdict(row) for row in rows],
        }
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
