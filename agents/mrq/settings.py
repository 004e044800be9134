"""Settings of MR.Q. The defaults are the paper's (arXiv 2501.16142, table of hyperparameters)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

AT_LEAST_ONE = (
    "width",
    "depth",
    "zs_dim",
    "za_dim",
    "zsa_dim",
    "batch_size",
    "target_cycle",
    "q_horizon",
    "encoder_horizon",
)
AT_MOST = {"width": 2**20, "zs_dim": 2**20, "za_dim": 2**20, "zsa_dim": 2**20, "depth": 1000}
"""Sizes beyond these are slips of the pen: counting such a network alone would take hours."""
POSITIVE = ("encoder_lr", "critic_lr", "actor_lr", "critic_clip", "reward_bound", "min_priority")


@dataclass(frozen=True)
class MRQSettings:
    """The numbers that decide how MR.Q learns."""

    width: int = 512
    """Units of every hidden layer."""
    depth: int = 2
    """Hidden layers of each MLP (the critic has one more)."""
    zs_dim: int = 512
    """Width of the state embedding."""
    za_dim: int = 256
    """Width of the action embedding."""
    zsa_dim: int = 512
    """Width of the state-action embedding."""
    batch_size: int = 256
    """Transitions (or sub-trajectories) in one update."""
    buffer_size: int = 1_000_000
    """Replay rows; fewer are held when the budget needs fewer."""
    warmup: int = 10_000
    """Agent steps with uniform random actions before learning begins."""
    target_cycle: int = 250
    """RL updates between hard target copies; as many encoder updates follow each copy."""
    discount: float = 0.99
    """Discount per agent step."""
    q_horizon: int = 3
    """Steps of the critic's multi-step return."""
    encoder_horizon: int = 5
    """Steps for which the encoder's model is unrolled."""
    exploration_noise: float = 0.2
    """Standard deviation of exploration noise."""
    target_noise: float = 0.2
    """Standard deviation of target policy smoothing noise."""
    target_noise_clip: float = 0.3
    """Largest smoothing noise."""
    priority_exponent: float = 0.4
    """LAP's alpha."""
    min_priority: float = 1.0
    """LAP's smallest priority, before the exponent."""
    lap_q: Literal["taken", "policy"] = "taken"
    """The action whose value sets the priority: the one taken (upstream since 8a44a7d), or the
    policy's (upstream before b1f387e)."""
    dynamics_weight: float = 1.0
    """Weight of the latent dynamics loss."""
    reward_weight: float = 0.1
    """Weight of the two-hot reward loss."""
    done_weight: float = 0.1
    """Weight of the termination loss."""
    reward_bins: int = 65
    """Bins of the two-hot reward."""
    reward_bound: float = 10.0
    """Reward bins lie at symexp of an even grid on [-bound, bound]."""
    encoder_lr: float = 1e-4
    """Step size of the encoder."""
    critic_lr: float = 3e-4
    """Step size of the critic."""
    actor_lr: float = 3e-4
    """Step size of the actor."""
    weight_decay: float = 1e-4
    """Decoupled weight decay of all modules."""
    critic_clip: float = 20.0
    """Largest gradient norm of one member's critic, over both Q networks."""
    pre_activation_weight: float = 1e-5
    """Penalty on the squared policy output before tanh."""

    def __post_init__(self) -> None:
        for name in AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least 1")
        for name, largest in AT_MOST.items():
            if getattr(self, name) > largest:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at most {largest}")
        for name in POSITIVE:
            if getattr(self, name) <= 0.0:
                raise ValueError(f"{name} is {getattr(self, name)}, expected above 0")
        if self.reward_bins < 2:
            raise ValueError(f"reward_bins is {self.reward_bins}, expected at least 2")
        if not 0.0 <= self.discount <= 1.0:
            raise ValueError(f"discount is {self.discount}, expected between 0 and 1")

        # Learning starts with two whole sub-trajectories, and the replay must hold the warm-up.
        if self.warmup < 2 * self.horizon:
            raise ValueError(
                f"warmup is {self.warmup}, expected at least {2 * self.horizon}:"
                " two sub-trajectories to learn from"
            )
        if self.buffer_size < self.warmup:
            raise ValueError(
                f"buffer_size is {self.buffer_size}, expected at least warmup ({self.warmup})"
            )

    @property
    def horizon(self) -> int:
        """Rows of one sub-trajectory."""
        return max(self.q_horizon, self.encoder_horizon)
