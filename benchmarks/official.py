"""The official MR.Q (facebookresearch/MRQ at 8a44a7d), from a clone that is used as it is, and how
much faster the core learns.

    python benchmarks/official.py --mrq PATH_OF_A_CLONE [--device cuda] [--times 5]
        [--members 8] [--precision tf32]

Dog sizes, batch 256, learning only (one RL and one encoder update a step), the official one in its
own float32. Each round times the official agent, our cohort of members, and the official one again
(the control), a few steps each; `gain` is the ratio per member and step, its median with its 5 to
95 percent range. `--times`: all widths so many times those of MR.Q.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from core import ACTION, CYCLE, DENSE, FILL, OBSERVATION, filled_agent, gains, save, timed
from tabulate import tabulate

from agents.mrq.settings import MRQSettings
from harness.training.precision import prepare, product_type


def build(clone: Path, s: MRQSettings, observation: int, action: int, device: str = "cpu") -> Any:
    """The official agent of the same settings. Its buffer asks the card's memory, even on a CPU:
    answered from here."""
    folder = next(
        (path.parent for path in (clone / "MRQ.py", clone / "MRQ" / "MRQ.py") if path.exists()),
        None,
    )
    if folder is None:
        sys.exit(f"--mrq {clone}: no MRQ.py in it; expected a clone of facebookresearch/MRQ.")
    sys.path.insert(0, str(folder))
    if not device.startswith("cuda"):
        torch.cuda.mem_get_info = lambda *_: (1 << 40, 1 << 40)
    hp = {
        "batch_size": s.batch_size,
        "buffer_size": float(s.buffer_size),
        "target_update_freq": s.target_cycle,
        "buffer_size_before_training": float(s.warmup - 1),
        "zs_dim": s.zs_dim,
        "zsa_dim": s.zsa_dim,
        "za_dim": s.za_dim,
        "enc_hdim": s.width,
        "value_hdim": s.width,
        "policy_hdim": s.width,
    }
    official = importlib.import_module("MRQ")
    return official.Agent((observation,), action, 1.0, False, False, torch.device(device), 1, hp)


def within_its_buffer(buffer: Any) -> None:
    """Keeps the official sampler from the row after its last: rounding of its float32 sums can lead
    there, and writing a priority then fails."""
    sample = buffer.sample_ind

    def sample_ind() -> Any:
        buffer.sampled_ind = np.minimum(sample(), buffer.size - 1)
        return buffer.sampled_ind

    buffer.sample_ind = sample_ind


def filled(clone: Path, s: MRQSettings, device: str) -> Any:
    """The official agent with random transitions, ready to learn."""
    agent, rng = build(clone, s, OBSERVATION, ACTION, device), np.random.default_rng(0)
    for _ in range(FILL + 1):
        seen, after = rng.standard_normal((2, OBSERVATION))
        agent.replay_buffer.add(
            seen, rng.uniform(-1.0, 1.0, ACTION), after, float(rng.uniform()), False, False
        )
    within_its_buffer(agent.replay_buffer)
    return agent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--mrq", type=Path, required=True, help="a clone of facebookresearch/MRQ at 8a44a7d"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument(
        "--cycles", type=int, default=1, help="target cycles of 5 updates in a measurement"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device, precision, width = arguments.device, arguments.precision, 512 * arguments.times
    products = product_type(precision)
    ours = filled_agent(
        arguments.members, width, arguments.batch, DENSE, device=device, products=products
    )
    theirs = filled(arguments.mrq, ours.algorithm.settings, device)
    name_of_ours = f"{precision}, P = {arguments.members}"
    kinds = {
        "official": theirs.train,
        name_of_ours: ours.update,
        "official again (A/A)": theirs.train,
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(arguments.rounds + 1):
        for name, step in kinds.items():
            members = arguments.members if name == name_of_ours else 1
            prepare(precision if name == name_of_ours else "float32", device, deterministic=False)
            taken = timed(step, arguments.cycles * CYCLE, device) / members
            if number:  # the first round warms up
                times[name].append(taken)
    print(
        tabulate(
            gains(times),
            headers=["", "ms a member and step", "gain", "5 %", "95 %"],
            floatfmt=".3f",
            tablefmt="github",
        )
    )
    save(arguments, seconds=times)


if __name__ == "__main__":
    main()
