"""What an evaluation costs beside learning on a GPU: the training loop itself, in virtual time.

    python benchmarks/evaluation_beside.py [--members 8 20] [--learn 3.0 6.7] [--policy 2.0]
        [--json FILE]

Device, simulators and policies are stand-ins that only take time, on a clock of their own; the
loop, the measurements and the evaluator are the real ones. Dog sizes: an interval of 5,000 agent
steps, 10 episodes a member, 0.8 ms a core for an agent step, 16 cores, an encoder block every 250
updates. Both simulators work twice as long while the other one does. The policy is slow on
purpose: every one of its calls takes `--policy` ms.

`share`: what evaluations add to an interval, of the interval. `in line`: milliseconds that agent
steps waited for an evaluation. `at the end`: the same once the interval was over. The rows with
2 GiB build their environments anew in each evaluation, as all cohorts on a GPU once did.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from tabulate import tabulate

from envs.spec import Step
from envs.tasks import TASKS
from harness.files import Files
from harness.planning.cohorts import partition
from harness.planning.making import make_plan
from harness.planning.regimes import resolve
from harness.planning.suite import Protocol, Suite
from harness.training import evaluation, loop, measuring
from harness.training.loop import Training

TASK = TASKS["dog-run"]
EVERY, EPISODES = 5000, 10
CORES, CORE_MS, RESET_MS, BUILD_MS = 16, 0.8, 20.0, 630.0
"""Of the host; milliseconds that one core takes for an agent step, a reset, a new environment."""
BLOCK, ENCODER_SHARE = 250, 1.25
"""Updates of a target cycle; time of an encoder update in units of the other updates of a step."""
PLENTY = 65536.0
"""MiB for evaluation environments of all members."""
HOST_MS = 0.3
"""What the host itself takes for an agent step."""


@dataclass
class World:
    """A clock, and when everything that works beside the host is done. In milliseconds."""

    learn_ms: float
    policy_ms: float
    now: float = 0.0
    device: float = 0.0
    simulators: dict[str, float] = field(default_factory=dict)
    ending: bool = False
    """Whether an evaluation is being carried to its end."""
    in_line: float = 0.0
    at_the_end: float = 0.0

    def until(self, moment: float, of_evaluation: bool = False) -> None:
        """The host waits."""
        waited = max(0.0, moment - self.now)
        self.now += waited
        if of_evaluation and self.ending:
            self.at_the_end += waited
        elif of_evaluation:
            self.in_line += waited


class Arriving:
    """In the place of a Download."""

    def __init__(self, world: World, values: torch.Tensor, moment: float, evaluates: bool) -> None:
        self.world, self.values, self.moment, self.evaluates = world, values, moment, evaluates

    def ready(self) -> bool:
        return self.world.now >= self.moment

    def numpy(self) -> Any:
        self.world.until(self.moment, self.evaluates)
        return self.values.double().numpy()


class Simulator:
    """In the place of a WatchedPool; those of one worker work one after the other."""

    def __init__(self, world: World, worker: str, members: int, slots: int) -> None:
        self.world, self.worker, self.shape = world, worker, (members, slots)
        self.evaluates = slots > 1
        self.steps = 0
        self._work(BUILD_MS)
        self._wait()

    def _work(self, core_ms: float) -> None:
        """Queues work for every environment."""
        world = self.world
        others = [done for name, done in world.simulators.items() if name != self.worker]
        crowded = 2.0 if any(done > world.now for done in others) else 1.0
        begin = max(world.now, world.simulators.get(self.worker, 0.0))
        count = self.shape[0] * self.shape[1]
        taken = core_ms * max(1.0, count / CORES) * crowded
        self.moment = world.simulators[self.worker] = begin + taken

    def _wait(self) -> None:
        self.world.until(self.moment, self.evaluates)

    def _observation(self) -> Any:
        return np.zeros((*self.shape, TASK.observation_size), dtype=np.float32)

    def begin_reset(self) -> None:
        self.steps = 0
        self._work(RESET_MS)

    def finish_reset(self) -> Any:
        self._wait()
        return self._observation()

    def reset(self) -> Any:
        self.begin_reset()
        return self.finish_reset()

    def send(self, action: object, running: object = None) -> None:
        self.steps += 1
        self._work(CORE_MS)

    def ready(self) -> bool:
        return self.world.now >= self.moment

    def recv(self) -> Step:
        self._wait()
        seen, flags = self._observation(), np.zeros(self.shape, dtype=bool)
        ended = flags | (self.evaluates and self.steps == 500)
        return Step(seen, np.zeros(self.shape, dtype=np.float32), flags, ended, seen)

    def skip_resets(self, amounts: int) -> None:
        for _ in range(amounts):
            self._work(RESET_MS)
        self._wait()

    def close(self) -> None:
        pass


class Worker:
    """In the place of a process of simulators."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name

    def pool(self, task: object, seeds: Any, *others: object, **named: object) -> Simulator:
        return Simulator(self.world, self.name, len(seeds), len(seeds[0]))

    def close(self) -> None:
        pass


class Agent:
    """In the place of an agent on a GPU: its work is queued, and takes as long as it is told."""

    def __init__(self, world: World, members: int) -> None:
        self.world, self.members, self.updates = world, members, 0

    def act(self, observation: torch.Tensor, explore: bool) -> torch.Tensor:
        self.world.now += HOST_MS
        return torch.zeros(self.members, 1, TASK.action)

    def update(self) -> None:
        block = BLOCK * ENCODER_SHARE if self.updates % BLOCK == 0 else 0.0
        begin = max(self.world.now, self.world.device)
        self.world.device = begin + (1.0 + block) * self.world.learn_ms
        self.updates += 1

    def overlaps(self) -> bool:
        return self.updates % BLOCK != 0

    def begin(self, *_: object) -> None:
        pass

    complete = begin

    def check_finite(self) -> list[None]:
        self.world.until(self.world.device)
        return [None] * self.members

    def snapshot(self) -> Any:
        return lambda observation: torch.zeros(*observation.shape[:2], TASK.action)

    def modules(self) -> dict[str, object]:
        return {}

    counts = modules


def suite(members: int) -> Suite:
    """Regimes and seeds for so many members, and an evaluation every EVERY agent steps."""
    return Suite(
        suite="beside",
        version=1,
        description="an evaluation beside learning",
        tasks=(TASK.name,),
        regimes=("dense", "sst", "dst", "mst"),
        seeds=members // 4,
        action_repeat=2,
        evaluation=Protocol(EVERY, EPISODES, EPISODES, EPISODES, EPISODES),
    )


def stand_ins(world: World, agent: Agent, memory_mib: float) -> ExitStack:
    """Puts time in the place of whatever would work."""
    workers = iter(("training", "evaluation"))

    def action(values: torch.Tensor) -> Arriving:
        return Arriving(world, values, max(world.now, world.device), evaluates=False)

    def acting(policy: Any, device: str) -> Any:
        def act(seen: Any) -> Arriving:
            values = policy(torch.from_numpy(seen))
            return Arriving(world, values, world.now + world.policy_ms, evaluates=True)

        return act

    def pause(seconds: float) -> None:
        world.now += 1e3 * seconds

    instead: list[tuple[object, str, object]] = [
        (loop, "_agent", lambda *_: agent),
        (loop, "member_masks", lambda *_: {}),
        (loop, "Worker", lambda patience: Worker(world, next(workers))),
        (loop, "Download", action),
        (loop, "upload_finite", lambda values, device: torch.from_numpy(values)),
        (loop, "upload_step", lambda step, device: (step.reward, step.observation)),
        (time, "sleep", pause),
        (evaluation, "Acting", acting),
        (measuring, "_memory_mib", lambda device: memory_mib),
        (measuring, "diagnose", lambda modules, probe: [{}] * agent.members),
    ]
    stack = ExitStack()
    for owner, name, value in instead:
        stack.enter_context(patch.object(owner, name, value))
    return stack


def interval(
    members: int, world: World, memory_mib: float = PLENTY, evaluates: bool = True
) -> float:
    """Milliseconds of an interval of training, from one evaluation to the next."""
    plan = make_plan(resolve(suite(members), "beside"))
    (cohort,) = partition(plan, "cuda", members).cohorts
    with (
        tempfile.TemporaryDirectory() as folder,
        stand_ins(world, Agent(world, members), memory_mib),
    ):
        training = Training(plan, cohort, Path(folder), "cuda", 1.0, Files())
        with training:
            training.measurements.start()
            observation = torch.from_numpy(training.pool.reset())

            # The first evaluation builds environments, and learning has not begun.
            if evaluates:
                training.evaluate()
                training.measurements.end()
                training.evaluate()
            world.in_line = 0.0
            begin = world.now
            for _ in range(EVERY):
                observation = training.agent_step(observation)
            world.ending = True
            training.measurements.end()
            training.health.check_networks(EVERY)
            return world.now - begin


def row(members: int, learn_ms: float, policy_ms: float, memory_mib: float) -> list[float]:
    """Milliseconds an agent step, the share of an interval that evaluations add, and waiting."""
    world = World(learn_ms, policy_ms)
    beside = interval(members, world, memory_mib)
    alone = interval(members, World(learn_ms, policy_ms), evaluates=False)
    return [beside / EVERY, 1.0 - alone / beside, world.in_line, world.at_the_end]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, nargs="+", default=[8, 20])
    parser.add_argument(
        "--learn",
        type=float,
        nargs="+",
        default=[1.6, 3.4],
        help="ms of the critic's and actor's updates of a step, for each number of members",
    )
    parser.add_argument("--policy", type=float, default=2.0, help="ms of a call of the policy")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for members, learn_ms in zip(arguments.members, arguments.learn, strict=True):
        for name, memory in (("one kept pool", PLENTY), ("2 GiB at a time", 2048.0)):
            figures = row(members, learn_ms, arguments.policy, memory)
            rows.append([f"P = {members}, {name}", *figures])
    headers = ["", "ms an agent step", "share", "in line", "at the end"]
    print(tabulate(rows, headers=headers, floatfmt=".3f", tablefmt="github"))
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows, "headers": headers}))


if __name__ == "__main__":
    main()
