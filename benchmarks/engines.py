"""What an engine makes of a machine with two cores: the agent steps a second of two cohorts at a
time, over those of one cohort alone in the inline executor.

    python benchmarks/engines.py local
    python benchmarks/engines.py local ray slurm --ray-address HOST:PORT --json results/engines.json

A cohort is the quick suite's, one seed under four regimes. Its rate is over its own time, as
timing.json has it. `before` is from the command to the beginning of the first cohort, `after` from
the end of the last one to the end of the command, sealing and verifying included. The inline
executor takes its turn twice a round (A/A). `cores` is the processor's time of the command and all
that it started, over its wall time: two cohorts can reach 2 / `cores` of one alone at most, whose
simulator has the other core. Slurm and Ray start nothing as a child of the command.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from tabulate import tabulate

from harness.files import read_json

SCALE = 0.2
"""Of the quick suite's budget: 3,000 agent steps."""
ALONE = ("inline", "inline again")


def measured(executor: str, words: list[str], cohorts: int) -> dict[str, float]:
    """One command that carries out so many cohorts."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-P", "-m", "harness.cli", "run", "--suite", "quick"]
        command += ["--set", f"seeds={cohorts}", "--budget-scale", str(SCALE), "--members", "4"]
        command += ["--device", "cpu", "--executor", executor, *words, "--out", scratch]
        begun, spent = time.time(), processor()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ended, spent = time.time(), processor() - spent

        # Members of a cohort have its timing.
        (folder,) = Path(scratch).iterdir()
        steps = read_json(folder / "plan.json")["budget"]["agent_steps"]
        spans = list[tuple[float, float]]()
        for seed in range(cohorts):
            timing = read_json(next(folder.glob(f"runs/*/dense/{seed}/timing.json")))
            spans.append((timing["started"], timing["ended"]))
        return {
            "rate": sum(steps / (last - first) for first, last in spans),
            "before": min(first for first, _ in spans) - begun,
            "after": ended - max(last for _, last in spans),
            "cores": spent / (ended - begun),
        }


def processor() -> float:
    """Seconds of the processor that all ended children took, and theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Print medians over the rounds, and ratios of each round."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("engines", nargs="+")
    parser.add_argument("--ray-address", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    figures = defaultdict[str, list[dict[str, float]]](list)
    for _ in range(arguments.rounds):
        for name in ALONE:
            figures[name].append(measured("inline", [], 1))
        for engine in arguments.engines:
            words = ["-j", "2"]
            if engine == "ray":
                words += ["--ray-address", arguments.ray_address]
            figures[engine].append(measured(engine, words, 2))

    rows = list[list[str | float]]()
    for name, rounds in figures.items():
        alone = [row["rate"] for row in figures[ALONE[0]]]
        ratios = [row["rate"] / one for row, one in zip(rounds, alone, strict=True)]
        middle = [statistics.median(row[key] for row in rounds) for key in rounds[0]]
        rows.append([name, *middle, statistics.median(ratios), min(ratios), max(ratios)])
    headers = ["engine", "agent steps/s", "before (s)", "after (s)", "cores"]
    headers += ["ratio", "least", "most"]
    print(tabulate(rows, headers=headers, floatfmt=".2f", tablefmt="github"))
    if arguments.json:
        document = {"arguments": sys.argv[1:], "figures": figures}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
