"""EnvPool through our adapter beside MuJoCo alone: Dog Run on one thread, the same physics steps,
in paired rounds.

    python benchmarks/simulator.py [--environments 8] [--rounds 25]

MuJoCo's side is `mujoco.rollout`, a loop in C++ over physics steps of dm_control's own model
under the same random controls: no observations, no rewards, no episodes. Prints the median ratio
of the rates (1 would be: the adapter, observations and rewards cost nothing) with its 5 to 95
percent range, that of EnvPool without the adapter, and that of `mujoco.rollout` with itself as
the control.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import envpool
import mujoco
import numpy as np
from core import span
from mujoco import rollout
from tabulate import tabulate

from envs.pool import Pool
from envs.tasks import TASKS

STEPS, WARM = 400, 2
"""Agent steps of all environments in a round (two environment steps each), and rounds that are left
out."""


def measure(rounds: int, environments: int) -> dict[str, list[float]]:
    """Seconds of `mujoco.rollout`, of itself again, of EnvPool, and of EnvPool through the adapter,
    in each round."""
    os.environ.setdefault("MUJOCO_GL", "disable")  # no renderer is looked for
    from dm_control import suite

    task = TASKS["dog-run"]
    environment = suite.load("dog", "run", task_kwargs={"random": 0})
    environment.reset()
    model, physics_steps = environment.physics.model.ptr, environment._n_sub_steps
    data, start = (
        mujoco.MjData(model),
        np.zeros(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS)),
    )
    mujoco.mj_getState(
        model, environment.physics.data.ptr, start, mujoco.mjtState.mjSTATE_FULLPHYSICS
    )
    seeds = list(range(environments))
    pool = Pool(task, [seeds], threads=1)
    bare = envpool.make_gymnasium(task.env_id, num_envs=environments, seed=seeds, num_threads=1)

    def alone(actions: np.ndarray) -> None:
        controls = np.repeat(actions.swapaxes(0, 1), 2 * physics_steps, axis=1)
        rollout.rollout(model, data, np.tile(start, (environments, 1)), controls)

    def without(actions: np.ndarray) -> None:
        for action in actions:
            bare.step(action)
            bare.step(action)

    def through(actions: np.ndarray) -> None:
        for action in actions:
            pool.step(action[None])

    work: dict[str, tuple[Callable[[], object], Callable[[np.ndarray], None]]] = {
        "mujoco.rollout": (lambda: None, alone),
        "mujoco.rollout again (A/A)": (lambda: None, alone),
        "EnvPool": (bare.reset, without),
        "EnvPool through the adapter": (pool.reset, through),
    }
    script, found = np.random.default_rng(1), {name: list[float]() for name in work}
    for number in range(WARM + rounds):
        actions = script.uniform(-1.0, 1.0, (STEPS // environments, environments, task.action))
        for name, (prepare, run) in work.items():
            prepare()
            begin = time.perf_counter()
            run(actions)
            if number >= WARM:
                found[name].append((time.perf_counter() - begin) / (2 * STEPS))
    return found


def share(found: dict[str, list[float]], name: str) -> tuple[float, float, float]:
    """Rate of a row as a share of `mujoco.rollout`'s: median, 5 and 95 percent."""
    return span(np.array(found["mujoco.rollout"]) / np.array(found[name]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environments", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    found = measure(arguments.rounds, arguments.environments)
    rows = [[name, 1e3 * np.median(times), *share(found, name)] for name, times in found.items()]
    print(
        tabulate(
            rows,
            headers=["", "ms an environment step", "ratio of rates", "5 %", "95 %"],
            floatfmt=".2f",
        )
    )


if __name__ == "__main__":
    main()
