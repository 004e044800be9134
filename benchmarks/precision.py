"""What the precision of matrix products does to learning: returns, gradients and priorities in
float32, tf32 and bfloat16, on a CPU.

    python benchmarks/precision.py learn --out OUT [--suite results/precision.yaml]
    python benchmarks/precision.py compare OUT [--csv FILE]
    python benchmarks/precision.py gradients [--width 64 512] [--json FILE]

A CPU has no tf32: operands of every product, forward and backward, are cut to its 10 bits here, as
a tensor core reads them, and added up in float32. bfloat16 is the product's own (autocast).
`learn` trains the same seeds in each precision; `compare` pairs them, seed by seed: the area under
the learning curve and the score, with a 95 percent t interval of the mean difference. `gradients`
compares each module's gradient with that of the same networks in float64, and what the errors of
the critic would set as priorities.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from core import MIXED, filled_agent, gradients, learning, save
from tabulate import tabulate
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from agents.mrq import losses
from agents.mrq.agent import MRQ
from agents.off_policy import OffPolicy
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import frozen_cohorts
from harness.planning.plan import read_plan, write_plan
from harness.planning.request import Request, plan_of
from harness.training.precision import product_type
from harness.training.unit import run_cohort
from leaderboard.statistics.stats import mean_interval

PRECISIONS = ("float32", "tf32", "bfloat16")
LOW_BITS = 23 - 10
"""Bits of a float32's significand that tf32 does not have."""


def cut(x: Tensor) -> Tensor:
    """A float32 as a tensor core reads it for a tf32 product."""
    return (x.contiguous().view(torch.int32) & (-1 << LOW_BITS)).view(torch.float32)


class TF32(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Products of float32 inside are those of tf32."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = operation._schema.name
        if name in ("aten::bmm", "aten::mm") and args[0].dtype == torch.float32:
            args = (cut(args[0]), cut(args[1]))
        elif name in ("aten::baddbmm", "aten::addmm") and args[1].dtype == torch.float32:
            args = (args[0], cut(args[1]), cut(args[2]))
        return operation(*args, **(kwargs or {}))


def products(precision: str) -> Any:
    """Inside, products are of this precision."""
    return TF32() if precision == "tf32" else nullcontext()  # type: ignore[no-untyped-call]


# -- returns --


def learn(suite: str, out: Path, precision: str) -> None:
    """All runs of a suite, in this process."""
    stated = "bfloat16" if precision == "bfloat16" else "float32"
    _, plan = plan_of(Request(suite, out, (f"precision={stated}",)))
    folder = write_plan(plan, out / precision)
    for cohort in frozen_cohorts(folder, plan, "cpu", members=16).cohorts:
        with products(precision):
            run_cohort(folder, plan, cohort, Options(device="cpu"))


def curves(out: Path) -> dict[int, tuple[float, float]]:
    """Seed -> area under the curve after the warm-up, and score."""
    (folder,) = out.iterdir()
    plan, found = read_plan(folder / "plan.json"), dict[int, tuple[float, float]]()
    warm_up = plan.agent_settings().learning_starts
    for run in plan.runs:
        lines = Folder(folder).run(run).records.read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines]
        means = [
            statistics.fmean(record["returns"])
            for record in records
            if record["kind"] == "evaluation" and record["agent_step"] > warm_up
        ]
        score = next(record for record in records if record["kind"] == "final")["returns"]
        found[run.seed] = statistics.fmean(means), statistics.fmean(score)
    return found


def interval(values: list[float]) -> str:
    """Mean and half of its 95 percent t interval."""
    mean = mean_interval(values)
    return f"{mean.mean:.1f} +- {mean.half_width:.1f}"


def compare(out: Path, path: Path | None) -> None:
    """Pairs every precision with float32, seed by seed."""
    found = {name: curves(out / name) for name in PRECISIONS if (out / name).exists()}
    base, rows = found["float32"], []
    for name, of_seeds in found.items():
        for figure, index in (("area", 0), ("score", 1)):
            values = [of_seeds[seed][index] for seed in base]
            differences = [of_seeds[seed][index] - base[seed][index] for seed in base]
            apart = "" if name == "float32" else interval(differences)
            rows.append([name, figure, len(values), interval(values), apart])
    headers = ["products", "", "seeds", "mean", "paired difference to float32"]
    print(tabulate(rows, headers=headers, disable_numparse=True, tablefmt="github"))
    if path is not None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["precision", "seed", "area", "score"])
            for name, of_seeds in found.items():
                for seed, (area, score) in of_seeds.items():
                    writer.writerow([name, seed, round(area, 3), round(score, 3)])


# -- gradients and priorities --


def priorities(agent: OffPolicy[MRQ]) -> Tensor:
    """What the critic's errors on its next batch set: [P, B]."""
    algorithm, settings = agent.algorithm, agent.algorithm.settings
    batch = algorithm.batch
    return losses.lap_priority(
        batch.q, batch.target, settings.min_priority, settings.priority_exponent
    )


def angles(width: int) -> list[list[object]]:
    """A row for each precision and module."""
    size = 4, width, 256 if width > 64 else 64, MIXED
    learned = filled_agent(*size)
    learning(learned, cycles=20)
    drawn = {word: draws.next().clone() for word, draws in learned.learner.draws.items()}

    def measured(precision: str, dtype: torch.dtype = torch.float32) -> tuple[list[Tensor], Tensor]:
        """Of the same networks, experience and draws."""
        agent = filled_agent(*size, products=product_type(precision), dtype=dtype)
        agent.restore(learned.state(), learned.replay_rows([0] * learned.learner.members))
        for word, draws in agent.learner.draws.items():
            draws.now.copy_(drawn[word])
        with products(precision):
            found = gradients(agent)
        return [each.double() for each in found], priorities(agent).double()

    exact, right = measured("float64", torch.float64)
    rows = list[list[object]]()
    for precision in PRECISIONS:
        found, priority = measured(precision)
        for module, one, other in zip(("encoder", "critic", "actor"), found, exact, strict=True):
            cosine = float(torch.cosine_similarity(one, other, 0))
            error = float((one - other).norm() / other.norm())
            rows.append([width, precision, f"gradient of the {module}", 1.0 - cosine, error])
        apart = float(((priority - right).abs() / right).max())
        rows.append([width, precision, "priorities", math.nan, apart])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parsers = parser.add_subparsers(dest="command", required=True)
    learns, compares, measures = (
        parsers.add_parser(name) for name in ("learn", "compare", "gradients")
    )
    learns.add_argument("--suite", default="results/precision.yaml")
    learns.add_argument("--out", type=Path, required=True)
    learns.add_argument("--precision", nargs="+", default=PRECISIONS, choices=PRECISIONS)
    compares.add_argument("out", type=Path)
    compares.add_argument("--csv", type=Path)
    measures.add_argument("--width", type=int, nargs="+", default=[64, 512])
    measures.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.command == "learn":
        for precision in arguments.precision:
            learn(arguments.suite, arguments.out, precision)
    elif arguments.command == "compare":
        compare(arguments.out, arguments.csv)
    else:
        rows = [row for width in arguments.width for row in angles(width)]
        headers = ["width", "products", "", "1 - cosine", "relative error"]
        print(tabulate(rows, headers=headers, floatfmt=".1e", tablefmt="github"))
        save(arguments, rows=rows)


if __name__ == "__main__":
    main()
