"""What each captured step is: the operations that a GPU would launch one by one, and the memory
that it holds at its peak.

    python benchmarks/steps.py [--width 512] [--batch 256] [--members 1]

Dog sizes, on the CPU. Operations that only look at a tensor in another way are not counted. `units`
are tensors [batch, width] in float32, for each member and hidden layer of an MLP, in what is held
beside the gradient, its parts and its masked copy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch
from core import DENSE, filled_agent
from tabulate import tabulate
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from agents.mrq.agent import MRQ
from agents.off_policy import OffPolicy

PARTS = {
    "_exploring_action": "",
    "_do_begin": "",
    "_write_rows": "",
    "_encoder_update": "encoder",
    "_critic_update": "critic",
    "_actor_update": "actor",
}
"""Function of a captured step of MR.Q -> the module that learns in it."""


def step_of(agent: OffPolicy[MRQ], name: str) -> Callable[[], object]:
    """The captured step that runs this function."""
    steps = agent.learner.recorder.steps
    return next(step for step in steps if step.function.__name__ == name)


class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operations."""

    found: int = 0

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.found += not operation.is_view
        return operation(*args, **(kwargs or {}))


def operations(agent: OffPolicy[MRQ], name: str) -> int:
    """Of one step."""
    counting = Counting()  # type: ignore[no-untyped-call]
    with counting:
        step_of(agent, name)()
    return int(counting.found)


def peak(agent: OffPolicy[MRQ], name: str) -> int:
    """Most bytes that one step holds, beyond what there was before it."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        step_of(agent, name)()
    assert found.profiler is not None and found.profiler.kineto_results is not None
    events = [
        event for event in found.profiler.kineto_results.events() if event.name() == "[memory]"
    ]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--members", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    agent = filled_agent(arguments.members, arguments.width, arguments.batch, DENSE)
    agent.update()
    unit, rows = (
        4 * arguments.members * arguments.batch * arguments.width * agent.algorithm.settings.depth,
        [],
    )
    for name, part in PARTS.items():
        held = peak(agent, name)
        beside = held - (12 * agent.learner.trained[part].layout.size if part else 0)
        rows.append(
            [
                name.removeprefix("_").replace("_", " "),
                operations(agent, name),
                held / 2**20,
                beside / unit,
            ]
        )
    rows.append(["all", *(sum(row[column] for row in rows) for column in (1, 2, 3))])
    print(
        tabulate(
            rows, headers=["step", "operations", "MiB", "units"], floatfmt=".1f", tablefmt="github"
        )
    )


if __name__ == "__main__":
    main()
