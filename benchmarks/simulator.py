"""EnvPool through our adapter beside MuJoCo alone: Dog Run on one thread, the same physics steps, in paired rounds.

    python benchmarks/simulator.py [--rounds 25]

MuJoCo's side is `mujoco.rollout`, a loop in C++ over physics steps of dm_control's own model under the same random controls: no
observations, no rewards, no episodes. Prints the median ratio of the rates (1 would be: the adapter, observations and
rewards cost nothing) with its 5 to 95 percent range, and that of `mujoco.rollout` with itself as the control.
"""

from __future__ import annotations

import argparse
import time

import mujoco
import numpy as np
from dm_control import suite
from mujoco import rollout
from tabulate import tabulate

from envs.pool import Pool
from envs.tasks import TASKS

STEPS, WARM = 200, 2
"""Agent steps in a round (two environment steps each), and rounds that are left out."""


def measure(rounds: int) -> np.ndarray:
    """Seconds of `mujoco.rollout`, of itself again, and of EnvPool through the adapter, in each round: [rounds, 3]."""
    task = TASKS["dog-run"]
    environment = suite.load("dog", "run", task_kwargs={"random": 0})
    environment.reset()
    model, physics_steps = environment.physics.model.ptr, environment._n_sub_steps
    data, start = mujoco.MjData(model), np.zeros(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS))
    pool = Pool(task, [0], threads=1)

    def alone(actions: np.ndarray) -> float:
        mujoco.mj_getState(model, environment.physics.data.ptr, start, mujoco.mjtState.mjSTATE_FULLPHYSICS)
        controls = np.repeat(actions, 2 * physics_steps, axis=0)
        begin = time.perf_counter()
        rollout.rollout(model, data, start[None], controls[None])
        return time.perf_counter() - begin

    def through(actions: np.ndarray) -> float:
        pool.reset()
        begin = time.perf_counter()
        for action in actions:
            pool.step(action[None])
        return time.perf_counter() - begin

    script, times = np.random.default_rng(1), []
    for _ in range(WARM + rounds):
        actions = script.uniform(-1.0, 1.0, (STEPS, task.action))
        times.append([alone(actions), alone(actions), through(actions)])
    return np.array(times[WARM:])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=25)
    found = measure(parser.parse_args().rounds)
    rows = []
    for name, column in (("mujoco.rollout again (A/A)", 1), ("EnvPool through the adapter", 2)):
        ratios = found[:, 0] / found[:, column]
        milliseconds = 1000.0 * np.median(found[:, column]) / (2 * STEPS)
        rows.append([name, *(f"{value:.2f}" for value in (milliseconds, *np.quantile(ratios, [0.5, 0.05, 0.95])))])
    print(tabulate(rows, headers=["", "ms an environment step", "ratio of rates", "5 %", "95 %"], disable_numparse=True))


if __name__ == "__main__":
    main()
