"""Does our MR.Q learn as the official code does? Both train on the same machine, and an equivalence
test compares their returns.

    python benchmarks/official_learning.py train --mrq PATH_OF_A_CLONE --task walker-stand
        --width 128 --seeds 8 --to results/official-learning-walker-stand.json [--jobs 2]
    mst-bench run --suite benchmarks/official-learning.yaml --set "tasks=[walker-stand]"
    python benchmarks/official_learning.py compare results/official-learning-walker-stand.json
        out/<plan id> [--json FILE]

The official code is a clone of facebookresearch/MRQ at 8a44a7d, used as it is: its agent, its
wrapper of dm_control and its loop. Seeds that a file holds already are not trained again. The test
takes the mean of each seed's evaluations from `--from` on, 10 episodes each: two one-sided Welch
tests at 5 percent each, with a margin that is a share of the official mean. Exits 0 if they are
shown to be equivalent, 1 if not.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

import torch
from learning_parity import Returns, returns_of
from official import build
from tabulate import tabulate

from agents.mrq.settings import MRQSettings
from leaderboard.statistics.intervals import interval
from leaderboard.statistics.measures import shares
from leaderboard.statistics.rules import equivalent

EVERY, EPISODES = 5000, 10
"""Agent steps between evaluations, and episodes of one."""


def train_seed(clone: Path, task: str, width: int, steps: int, seed: int) -> list[float]:
    """The official mean return at each evaluation: 0, 5000, ... agent steps."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    settings = MRQSettings(width=width, zs_dim=width, za_dim=width // 2, zsa_dim=width)
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        sys.path.insert(0, str(clone / "MRQ"))
        main = importlib.import_module("main")
        main.np.random.seed(seed)
        envs = [main.env_preprocessing.Env(f"Dmc-{task}", n) for n in (seed, seed + 100)]
        agent = build(clone, settings, envs[0].obs_shape[0], envs[0].action_dim)
        logger = main.utils.Logger("log.txt")
        logger.log_print = lambda _: None
        experiment = main.OnlineExperiment(
            agent, *envs, logger, [], 0, steps, 0, EVERY, EPISODES, scratch, "run"
        )
        experiment.run()
        return [float(value) for value in experiment.evals]


def train(arguments: argparse.Namespace) -> None:
    """Train the seeds that the file lacks, and write each as it ends."""
    done: dict[str, list[float]] = {}
    if arguments.to.exists():
        done = json.loads(arguments.to.read_text())["evaluations"]
    seeds = [seed for seed in range(arguments.seeds) if str(seed) not in done]
    clone, file = arguments.mrq.resolve(), arguments.to.resolve()
    one = partial(train_seed, clone, arguments.task, arguments.width, arguments.steps)

    context = multiprocessing.get_context("spawn")  # each seed in a process of its own
    with context.Pool(arguments.jobs, maxtasksperchild=1) as pool:
        for seed, values in zip(seeds, pool.imap(one, seeds, chunksize=1), strict=True):
            done[str(seed)] = values
            document = {
                "code": "facebookresearch/MRQ at 8a44a7d",
                "task": arguments.task,
                "width": arguments.width,
                "every": EVERY,
                "evaluations": done,
            }
            file.write_text(json.dumps(document, indent=1) + "\n")
            print(f"seed {seed}: {values[-1]:.1f}", flush=True)


def read_official(path: Path) -> Returns:
    """Agent step -> official returns, a seed each."""
    document = json.loads(path.read_text())
    returns: Returns = {}
    for values in document["evaluations"].values():
        for number, value in enumerate(values):
            returns.setdefault(number * document["every"], []).append(value)
    return returns


def averaged(returns: Returns, steps: list[int]) -> list[float]:
    """Each seed's mean over its evaluations at these agent steps."""
    return [
        statistics.fmean(values) for values in zip(*(returns[step] for step in steps), strict=True)
    ]


def spread(values: list[float]) -> str:
    """Mean and standard deviation over seeds."""
    return f"{statistics.fmean(values):.1f} +- {statistics.stdev(values):.1f} ({len(values)})"


def compare(arguments: argparse.Namespace) -> int:
    """Print both curves and the equivalence test; 0 if it holds."""
    ours, official = returns_of(arguments.folder), read_official(arguments.official)
    steps = sorted(set(ours) & set(official))
    rows = [[step, spread(ours[step]), spread(official[step])] for step in steps]
    print(tabulate(rows, headers=["agent steps", "ours", "official"], disable_numparse=True))

    late = [step for step in steps if step >= arguments.first]
    a, b = averaged(ours, late), averaged(official, late)
    margin = arguments.margin
    outcome = equivalent(shares, [a], [b], -margin, margin)
    between = outcome.comparison
    low, high = interval(shares, [a], [b], margin, confidence=0.9)
    verdict = outcome.verdict(outcome.p)
    print(
        f"from {arguments.first} on: ours {spread(a)}, official {spread(b)}; difference "
        f"{between.value:+.1%} (90 % {low:+.1%} to {high:+.1%}), margin {margin:.0%}: "
        f"equivalence {verdict}, p {outcome.p:.3f}"
    )
    if arguments.json:
        document = {"ours": ours, "official": official, "from": arguments.first}
        arguments.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0 if verdict == "supported" else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(required=True)
    training = kinds.add_parser("train")
    training.add_argument("--mrq", type=Path, required=True, help="a clone at 8a44a7d")
    training.add_argument("--task", required=True)
    training.add_argument("--width", type=int, default=128)
    training.add_argument("--steps", type=int, default=20_000, help="agent steps")
    training.add_argument("--seeds", type=int, default=8)
    training.add_argument("--jobs", type=int, default=1)
    training.add_argument("--to", type=Path, required=True)
    training.set_defaults(do=train)

    comparing = kinds.add_parser("compare")
    comparing.add_argument("official", type=Path, help="a file of `train`")
    comparing.add_argument("folder", type=Path, help="out/<plan id>, runs of `stock`")
    comparing.add_argument("--from", dest="first", type=int, default=15_000)
    comparing.add_argument("--margin", type=float, default=0.2)
    comparing.add_argument("--json", type=Path, help="where all returns go")
    comparing.set_defaults(do=compare)
    arguments = parser.parse_args()
    return int(arguments.do(arguments) or 0)


if __name__ == "__main__":
    sys.exit(main())
