"""What a plan must know of MR.Q: shapes, counts and memory, in plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import ClassVar, Self

from agents.members.blocks import Linear
from agents.mrq.settings import MRQSettings
from agents.spec import AgentSpec, Memory, Shapes, TaskShape, Weights

ACTIVATIONS = 45
"""Peak number of live float32 activations [batch, width] per hidden layer of an MLP (34 measured by
benchmarks/steps.py, rounded up)."""
ROW_BYTES = 9
"""A replay row's priority (8 bytes) and its sampling flag."""


class MRQSpec(MRQSettings):
    """MR.Q's settings, and what a plan works out from them (agents/spec.py: AgentSpec)."""

    MODULES: ClassVar[tuple[str, ...]] = ("encoder", "critic", "actor")
    POLICY_MODULES: ClassVar[tuple[str, ...]] = ("encoder", "actor")
    BLOCKS: ClassVar[Mapping[str, str]] = {"encoder": "T6", "critic": "T6", "actor": "T5"}

    @property
    def learning_starts(self) -> int:
        """Agent steps before the first update: the warm-up."""
        return self.warmup

    @property
    def rewire_multiple(self) -> int:
        """Masks change just before targets are copied."""
        return self.target_cycle

    def shapes(self, task: TaskShape) -> Shapes:
        """Encoder, two Q networks, actor."""
        critic = _mlp("q", self.zsa_dim, self.depth + 1, self.width, 1)
        actor = _mlp("policy", self.zs_dim, self.depth, self.width, task.action)
        return {
            "encoder": (self._encoder(task), 1),
            "critic": (critic, 2),
            "actor": (actor, 1),
        }

    def _encoder(self, task: TaskShape) -> list[Linear]:
        joint = self.zs_dim + self.za_dim
        prediction = 1 + self.zs_dim + self.reward_bins  # termination, next zs, reward logits
        return [
            *_mlp("zs", task.observation, self.depth, self.width, self.zs_dim),
            Linear("za", task.action, self.za_dim),
            *_mlp("zsa", joint, self.depth, self.width, self.zsa_dim),
            Linear("model", self.zsa_dim, prediction),
        ]

    def updates(self, agent_steps: int) -> dict[str, int]:
        """One RL update a step after the warm-up, and a block of `target_cycle` encoder updates at
        the first and every `target_cycle`-th of them."""
        # A cycle that the run ends in has had its whole block of encoder updates.
        rl = max(0, agent_steps - self.warmup)
        cycles = -(-rl // self.target_cycle)
        return {"encoder": cycles * self.target_cycle, "critic": rl, "actor": rl}

    def flops(self, weights: Weights) -> float:
        """Operations of one RL update and one encoder update.

        A multiply-add counts two; a backward pass twice its forward pass, or once where only
        inputs need gradients.
        """
        # Weights of the encoder's parts, and of the modules with all their copies
        parts = dict[str, int]()
        for name, count in weights["encoder"].items():
            part = name.partition(".")[0]
            parts[part] = parts.get(part, 0) + count
        zs, zsa, model = parts["zs"], parts["za"] + parts["zsa"], parts["model"]
        critic = 2 * sum(weights["critic"].values())
        actor = sum(weights["actor"].values())

        # The encoder: zs of every later state by the target, the unrolled model three times
        unrolled = 3 * self.encoder_horizon * (zsa + model)
        encoder_update = (self.encoder_horizon + 3) * zs + unrolled

        # Critic and actor: targets and embeddings forward alone, then each its own three passes
        targets_and_embedding = 2 * (zs + zsa) + actor + critic
        rl_update = targets_and_embedding + 3 * critic + 3 * actor + 2 * (zsa + critic)
        return 2.0 * self.batch_size * (encoder_update + rl_update)

    def replay_rows(self, task: TaskShape, agent_steps: int) -> int:
        """Rows that the budget needs, at most `buffer_size`: a row a step, one more an episode for
        its last observation, and a margin of two sub-trajectories."""
        episodes = agent_steps if task.terminates else agent_steps // task.episode_steps
        return min(self.buffer_size, agent_steps + episodes + 2 * self.horizon)

    def memory(self, task: TaskShape, agent_steps: int) -> Memory:
        """A replay in float32 with its priorities, and the activations of one update."""
        row = 4 * (task.observation + task.action + 2) + ROW_BYTES
        activations = 4 * ACTIVATIONS * self.depth * self.batch_size * self.width
        rows = self.replay_rows(task, agent_steps)
        return Memory(row * rows, ROW_BYTES * rows, activations)

    def scaled(self, width: int, depth: int) -> Self:
        """Larger networks: every width times `width`, every MLP's hidden layers times `depth`."""
        return replace(self.with_width(self.width * width), depth=self.depth * depth)

    def with_width(self, width: int) -> Self:
        """Hidden layers of `width` units, embeddings in proportion (at least one unit)."""
        names = ("zs_dim", "za_dim", "zsa_dim")
        widths = {name: max(1, getattr(self, name) * width // self.width) for name in names}
        return replace(self, width=width, **widths)

    def rehearsal(self) -> Self:
        """Settings for timing: shortest warm-up and one encoder update a step, so that every agent
        step costs the same, in networks of at most the default size."""
        default = MRQSettings()
        shaped = self.with_width(min(self.width, default.width))
        depth = min(self.depth, default.depth)
        return replace(shaped, depth=depth, warmup=2 * self.horizon, target_cycle=1)

    def shortened(self, agent_steps: int, share: float, cycles: int) -> Self:
        """The warm-up shrinks with the run, the target cycle only as far as to keep `cycles`."""
        warmup = max(2 * self.horizon, min(self.warmup, int(self.warmup * share)))
        cycle = min(self.target_cycle, max(1, (agent_steps - warmup) // cycles))
        return replace(self, warmup=warmup, target_cycle=cycle)

    @classmethod
    def smallest(cls) -> Self:
        """Width 16, two target copies within 40 updates."""
        return cls(
            width=16, zs_dim=16, za_dim=8, zsa_dim=16, batch_size=16, warmup=40, target_cycle=20
        )


def _mlp(name: str, fan_in: int, depth: int, width: int, out: int) -> list[Linear]:
    """`depth` hidden layers NAME.0 .. and the last one, NAME.out."""
    widths = [fan_in, *[width] * depth]
    layers = [Linear(f"{name}.{i}", a, b) for i, (a, b) in enumerate(pairwise(widths))]
    return [*layers, Linear(f"{name}.out", widths[-1], out)]


SPEC: type[AgentSpec] = MRQSpec
