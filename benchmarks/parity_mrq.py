"""Our MR.Q against the official one (facebookresearch/MRQ at 8a44a7d), number by number, in
float64.

    python benchmarks/parity_mrq.py --mrq PATH_OF_A_CLONE [--terminate [--unpatched]]

Both sides get the same weights, the same transitions, the same batches (no row twice: the rules for
duplicate priorities differ) and the same noise. After 3 encoder blocks and 300 RL updates it
compares parameters, targets, priorities, the largest priority, reward scales and sampling masks.
The control is official against official with the rows of every batch permuted: how far rounding
alone goes. The last line is the largest difference alone, as `1.2e-10`.

`--terminate` lets episodes terminate. There the official code has two faults
(docs/decisions/0014-terminal-steps.md), which are put right in it. With `--unpatched` they stay,
and the difference says what they do.

Else the clone is used as it is (official.py); one thing more of it is answered from here:
`torch.float`, so that its explicit float32 becomes float64.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import dataclasses
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import official
import torch

from agents.members.lap import ONE
from agents.mrq.agent import MRQ, build
from agents.mrq.spec import MRQSpec
from agents.off_policy import OffPolicy
from agents.protocol import Setup
from agents.sparsity.regime import ModuleRegime
from agents.spec import TaskShape

OBSERVATION, ACTION, EPISODE = 24, 6, 100
PREFILL, CYCLES, CYCLE = 1500, 3, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--mrq", type=Path, required=True, help="a clone of facebookresearch/MRQ at 8a44a7d"
    )
    parser.add_argument("--width", type=int, default=512, help="hidden width (za is half of it)")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument(
        "--terminate", action="store_true", help="let some episodes terminate (adds the done loss)"
    )
    parser.add_argument(
        "--unpatched", action="store_true", help="leave the official faults at terminations"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    settings = MRQSpec(
        width=arguments.width,
        zs_dim=arguments.width,
        za_dim=arguments.width // 2,
        zsa_dim=arguments.width,
        batch_size=arguments.batch,
        target_cycle=CYCLE,
        warmup=PREFILL,
        buffer_size=10_000,
    )
    ours = our_agent(settings)
    with mock.patch.object(torch, "float", torch.float64):
        theirs = official_agent(arguments.mrq, settings, ours)
        control = copy.deepcopy(theirs)
        patch = contextlib.nullcontext() if arguments.unpatched else patched(theirs)
        with patch:
            differences, noise_floor = compare(ours, theirs, control, arguments.terminate)
    report("ours against official", differences)
    report("control: official against official, batch rows permuted", noise_floor)
    print(f"{max(differences.values()):.1e}")


def our_agent(settings: MRQSpec) -> OffPolicy[MRQ]:
    """One stock member."""
    dense = {module: ModuleRegime() for module in MRQSpec.MODULES}
    setup = Setup(
        task=TaskShape(OBSERVATION, ACTION, EPISODE, terminates=True),
        agent_steps=PREFILL + CYCLES * CYCLE,
        blocks={"encoder": "T4", "critic": "T4", "actor": "T3"},
        regimes=[dense],
        streams=lambda member, word: torch.Generator().manual_seed(sum(word.encode())),
        dtype=torch.float64,
    )
    return build(setup, settings)


def official_agent(clone: Path, settings: MRQSpec, ours: OffPolicy[MRQ]) -> Any:
    """The official agent with our weights, everything in float64."""
    agent = official.build(clone, settings, OBSERVATION, ACTION)
    for network, module in (
        (agent.encoder, ours.learner.trained["encoder"]),
        (agent.value, ours.learner.trained["critic"]),
        (agent.policy, ours.learner.trained["actor"]),
    ):
        network.double()
        for (weight, bias), layer in zip(our_layers(module), linears(network), strict=True):
            assert layer.weight.shape == weight.T.shape, f"{layer}: expected {tuple(weight.shape)}"
            layer.weight.data.copy_(weight.T)
            layer.bias.data.copy_(bias)
    for name in ("encoder", "value", "policy"):
        setattr(agent, f"{name}_target", copy.deepcopy(getattr(agent, name)))
    agent.two_hot.bins = agent.two_hot.bins.double()
    buffer = agent.replay_buffer
    for name, value in vars(buffer).items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            setattr(buffer, name, value.double())
    return agent


@contextlib.contextmanager
def patched(agent: Any) -> Iterator[None]:
    """The official code with its two faults at terminations put right; both change nothing where no
    episode terminates."""
    buffer_type = type(agent.replay_buffer)
    terminal = buffer_type.terminal

    def reward_until_the_end(
        reward: torch.Tensor, not_done: torch.Tensor, gammas: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The reward of the terminal step counts, those of rows after it do not: [B, n, 1]."""
        before = torch.cat([torch.ones_like(not_done[:, :1]), not_done[:, :-1]], 1).cumprod(1)
        return (reward * before * gammas).sum(1), not_done.prod(1)

    def remember_the_last_row(buffer: Any, state: np.ndarray, truncated: bool) -> None:
        """The row of an episode's last observation is found by its own index, not by row 0's."""
        buffer.state_ind[buffer.ind] = np.array(buffer.history_queue, dtype=np.int32)
        terminal(buffer, state, truncated)

    official_module = importlib.import_module("MRQ")
    with (
        mock.patch.object(official_module, "multi_step_reward", reward_until_the_end),
        mock.patch.object(buffer_type, "terminal", remember_the_last_row),
    ):
        yield


def linears(network: torch.nn.Module) -> list[torch.nn.Linear]:
    """Linear layers in the order of their registration: the same as ours."""
    return [layer for layer in network.modules() if isinstance(layer, torch.nn.Linear)]


def our_layers(module: Any, target: bool = False) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(weight [in, out], bias [out]) of every layer; one Q network after the other."""
    views = module.target_parameters if target else module.parameters
    return [
        (
            views[f"{layer.name}.weight"][copy_].detach(),
            views[f"{layer.name}.bias"][copy_, 0].detach(),
        )
        for copy_ in range(module.copies)
        for layer in module.layout.linears
    ]


@dataclasses.dataclass
class Script:
    """Rows and noise of one update, drawn when our side samples; `order` permutes them for the
    control."""

    index: np.ndarray
    noise: torch.Tensor
    order: np.ndarray


def compare(
    ours: OffPolicy[MRQ], theirs: Any, control: Any, terminate: bool
) -> tuple[dict[str, float], dict[str, float]]:
    """Train all three on the same script; largest differences of ours and of the control, by
    kind."""
    rng, batch = np.random.default_rng(3), ours.algorithm.settings.batch_size
    tape: list[Script] = []

    def sample(_: torch.Tensor) -> torch.Tensor:
        rows = np.flatnonzero(ours.replay.lap.samplable[0].numpy())
        noise = torch.from_numpy(rng.standard_normal((batch, ACTION)))
        tape.append(Script(rng.choice(rows, batch, replace=False), noise, rng.permutation(batch)))
        ours.learner.draws["target-noise"].now.copy_(noise)
        return torch.from_numpy(tape[-1].index)[None]

    ours.replay.sample = sample  # type: ignore[method-assign, assignment]
    state = rng.standard_normal(OBSERVATION)
    for step in range(1, PREFILL + CYCLES * CYCLE + 1):
        action = rng.uniform(-1, 1, ACTION)
        after = (
            0.9 * state
            + 0.4 * np.resize(action, OBSERVATION)
            + 0.2 * rng.standard_normal(OBSERVATION)
        )
        reward = float(np.exp(-np.square(after).mean()) * rng.uniform(0.0, 2.0))
        terminated = terminate and rng.random() < 0.01
        truncated = not terminated and step % EPISODE == 0
        ours.begin(torch.from_numpy(state)[None, None], torch.from_numpy(action)[None, None])
        flags = np.array([[terminated]]), np.array([[truncated]])
        ours.complete(torch.tensor([[reward]]), torch.from_numpy(after)[None, None], *flags)
        for agent in (theirs, control):
            agent.replay_buffer.add(state, action, after, reward, terminated, truncated)
        state = rng.standard_normal(OBSERVATION) if terminated or truncated else after
        tape.clear()
        ours.update()
        if step > PREFILL:
            replay_script(theirs, tape, permuted=False)
            replay_script(control, tape, permuted=True)
    assert dict(ours.counts()) == {"encoder": 300, "critic": 300, "actor": 300}
    return distances(ours_state(ours), official_state(theirs)), distances(
        official_state(theirs), official_state(control)
    )


def replay_script(agent: Any, tape: list[Script], permuted: bool) -> None:
    """One official `train()` on the rows and noise that our side used."""
    remaining = iter(tape)
    current: list[Script] = []

    def sample_ind() -> np.ndarray:
        script = next(remaining)
        current[:] = [script]
        rows = script.index[script.order] if permuted else script.index
        agent.replay_buffer.sampled_ind = rows
        return rows

    def randn_like(_: torch.Tensor) -> torch.Tensor:
        return (
            current[0].noise[torch.from_numpy(current[0].order)] if permuted else current[0].noise
        )

    agent.replay_buffer.sample_ind = sample_ind
    with mock.patch.object(torch, "randn_like", randn_like):
        agent.train()
    assert next(remaining, None) is None, "both sides made the same updates"


State = dict[str, torch.Tensor]


def ours_state(agent: OffPolicy[MRQ]) -> State:
    """Everything compared, from our side, rows up to the cursor."""
    found: State = {}
    for name, module in (
        ("encoder", agent.learner.trained["encoder"]),
        ("value", agent.learner.trained["critic"]),
        ("policy", agent.learner.trained["actor"]),
    ):
        for kind, target in ((name, False), (f"{name}_target", True)):
            found[f"parameters of {kind}"] = torch.cat(
                [torch.cat([w.T.reshape(-1), b]) for w, b in our_layers(module, target)]
            )
    rows = int(agent.replay.size[0])
    mask = agent.replay.lap.samplable[0, :rows]
    found["sampling mask"] = mask.double()
    found["priorities"] = torch.where(mask, agent.replay.lap.priority[0, :rows] / ONE, 0.0)
    found["max priority"] = agent.replay.lap.max_priority[0] / ONE
    found["reward scale"] = agent.algorithm.scales.reward[0]
    found["target reward scale"] = agent.algorithm.scales.target_reward[0]
    return found


def official_state(agent: Any) -> State:
    """The same from the official side."""
    found: State = {}
    for name in ("encoder", "encoder_target", "value", "value_target", "policy", "policy_target"):
        layers = linears(getattr(agent, name))
        vectors = [
            torch.cat([layer.weight.detach().reshape(-1), layer.bias.detach()]) for layer in layers
        ]
        found[f"parameters of {name}"] = torch.cat(vectors)
    buffer = agent.replay_buffer
    mask = buffer.mask[: buffer.size].reshape(-1).double()
    found["sampling mask"] = mask
    found["priorities"] = torch.where(mask > 0, buffer.priority[: buffer.size].reshape(-1), 0.0)
    found["max priority"] = torch.as_tensor(buffer.max_priority)
    found["reward scale"] = torch.as_tensor(agent.reward_scale)
    found["target reward scale"] = torch.as_tensor(agent.target_reward_scale)
    return found


def distances(one: State, other: State) -> dict[str, float]:
    """Largest absolute difference of each kind."""
    return {name: float((one[name].double() - other[name].double()).abs().max()) for name in one}


def report(title: str, differences: dict[str, float]) -> None:
    """One line a kind."""
    print(title)
    for name, value in differences.items():
        print(f"  {name:<32} {value:.1e}")


if __name__ == "__main__":
    main()
