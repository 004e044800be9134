"""What every algorithm on the member axis shares: masked modules, captured steps, draws, health.

An algorithm holds a Learner and says how a loss is made. The Learner steps the module, keeps it to
its masks, counts, rewires, freezes members that failed, and knows the whole state of learning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor

from agents.members.blocks import Linear
from agents.members.draws import Draws
from agents.members.module import AdamWSettings, Module
from agents.members.recording import Recorded, Recorder
from agents.members.scalar import TrainedScalar
from agents.protocol import Setup, State, TrainedModule
from agents.sparsity.masks import Masks
from agents.spec import AgentSpec

T = TypeVar("T")


class Learner:
    """The modules of P members and how they learn."""

    def __init__(
        self, setup: Setup, settings: AgentSpec, optimisers: Mapping[str, AdamWSettings]
    ) -> None:
        """Draws every member's initial weights and masks.

        `settings` state the layers of each module, and its updates in the whole run: mask schedules
        need their number.
        """
        self.setup = setup
        self.members = len(setup.regimes)

        # A module starts masked, and its target equal to it.
        self.trained = {
            name: _module(setup, name, layers, optimisers[name], copies)
            for name, (layers, copies) in settings.shapes(setup.task).items()
        }
        updates = settings.updates(setup.agent_steps)
        self.masks = {
            name: _masks(setup, name, module, updates[name])
            for name, module in self.trained.items()
        }
        self.copy_targets()

        self.online = {name: module.parameters for name, module in self.trained.items()}
        """Module -> named parameters that losses read and gradients are taken for."""
        self.target = {name: module.target_parameters for name, module in self.trained.items()}
        """Module -> named parameters of its target."""

        # What an algorithm asks for while it is built
        self.recorder = Recorder(setup.device, setup.record)
        self.draws: dict[str, Draws] = {}
        self.tensors: dict[str, Tensor] = {}
        """Tensors of the algorithm that a checkpoint holds, by name (`tensor`)."""
        self.scalars: dict[str, TrainedScalar] = {}
        """Trained numbers [P] beside the modules, by name (`scalar`)."""

        # Health
        self.healthy = [True] * self.members
        self.alive = self._flags()
        """`healthy`, on the device: [P] bool."""
        self.finite = {name: self._flags() for name in self.trained}
        """Module -> [P] bool, whether every loss so far was finite."""

    def _flags(self) -> Tensor:
        return torch.ones(self.members, dtype=torch.bool, device=self.setup.device)

    # -- what an algorithm asks for while it is built --

    def draw(
        self,
        word: str,
        shape: tuple[int, ...],
        distribution: Literal["uniform", "normal"],
        dtype: torch.dtype | None = None,
    ) -> Draws:
        """Random numbers [P, *shape] from the stream `word` of each member."""
        device = torch.device(self.setup.device)
        generators = _generators(self.setup, word)
        dtype = dtype or self.setup.dtype

        # The host is idle while a GPU learns: it draws the next block meanwhile.
        ahead = device.type == "cuda"
        self.draws[word] = Draws(generators, shape, distribution, dtype, device, ahead)
        return self.draws[word]

    def tensor(self, name: str, value: float) -> Tensor:
        """A tensor [P] of the algorithm, changed in place alone; checkpoints hold it."""
        dtype, device = self.setup.dtype, self.setup.device
        self.tensors[name] = torch.full((self.members,), value, dtype=dtype, device=device)
        return self.tensors[name]

    def scalar(self, name: str, value: float, lr: float) -> TrainedScalar:
        """A trained number of each member, such as SAC's temperature."""
        self.scalars[name] = TrainedScalar(
            self.members, value, lr, self.setup.dtype, self.setup.device
        )
        return self.scalars[name]

    def capture(self, function: Callable[[], T]) -> Recorded[T]:
        """The function as a step that a GPU captures once and replays (members/recording.py)."""
        return self.recorder.step(function)

    # -- learning --

    def learn(self, name: str, loss: Tensor) -> Tensor:
        """One optimiser step of a module on its own loss [P]; returns the dense gradient [size].

        May stand in a captured step. `updated` follows outside of it.
        """
        self.finite[name] &= loss.detach().isfinite()
        module = self.trained[name]
        gradient = module.gradients(loss)
        module.step(gradient)
        return gradient

    def updated(self, name: str, gradient: Tensor) -> None:
        """Counts an update of a module, and rewires the members that are due."""
        module, masks = self.trained[name], self.masks[name]
        module.updates += 1
        if masks.due(module.updates):
            masks.rewire(gradient, self.healthy)

    def copy_targets(self) -> None:
        """Hard copies of every module into its target."""
        for module in self.trained.values():
            module.copy_to_target()

    # -- health --

    def check_finite(self) -> list[str | None]:
        """Per healthy member the first module whose loss or parameters are not finite, in words.

        Waits for the device.
        """
        reasons: list[str | None] = [None] * self.members
        for name, module in self.trained.items():
            # A sum is finite only if every parameter is. Shape: [P, copies] -> [P]
            sums = module.layout.per_group(module.flat.detach(), lambda view: view.sum(1))
            whole = sums.isfinite().view(self.members, module.copies).all(1)

            for member, finite in enumerate((whole & self.finite[name]).tolist()):
                if self.healthy[member] and not finite and reasons[member] is None:
                    reasons[member] = (
                        f"{name}: loss or parameters are not finite after update {module.updates}"
                    )
        return reasons

    def freeze(self, member: int) -> None:
        """Freezes a failed member: its parameters stop changing and its actions are zero."""
        self.healthy[member] = False
        self.alive[member] = False

        # Steps that were captured before know nothing of the freeze: they are captured anew.
        failed = [m for m in range(self.members) if not self.healthy[m]]
        for module in self.trained.values():
            module.freeze(failed)
        for scalar in self.scalars.values():
            scalar.freeze(failed)
        self.recorder.forget()

    # -- what others see --

    def modules(self) -> Mapping[str, TrainedModule]:
        """What sparsity, diagnostics and audits see."""
        return {
            name: TrainedModule(module, self.masks[name]) for name, module in self.trained.items()
        }

    def counts(self) -> Mapping[str, int]:
        """Updates of each module so far."""
        return {name: module.updates for name, module in self.trained.items()}

    def state(self) -> State:
        """Everything that learning changes but the replay; tensors are live, not copies."""
        return {
            "modules": {name: module.state() for name, module in self.trained.items()},
            "masks": {name: masks.state() for name, masks in self.masks.items()},
            "draws": {word: draws.state() for word, draws in self.draws.items()},
            "scalars": {name: scalar.state() for name, scalar in self.scalars.items()},
            "tensors": dict(self.tensors),
            "finite": dict(self.finite),
            "healthy": list(self.healthy),
        }

    def restore(self, state: State) -> None:
        """Inverse of `state`. Written in place, since captured steps hold the addresses."""
        # Parts that restore themselves
        parts: tuple[tuple[str, Mapping[str, Module | Masks | Draws | TrainedScalar]], ...] = (
            ("modules", self.trained),
            ("masks", self.masks),
            ("draws", self.draws),
            ("scalars", self.scalars),
        )
        for key, owners in parts:
            for name, owner in owners.items():
                owner.restore(state[key][name])

        # Tensors, and the members that had failed
        for key, tensors in (("tensors", self.tensors), ("finite", self.finite)):
            for name, tensor in tensors.items():
                tensor.copy_(state[key][name])
        for member, healthy in enumerate(state["healthy"]):
            if not healthy:
                self.freeze(member)


# -- construction --


def _generators(setup: Setup, word: str) -> list[torch.Generator]:
    """The stream `word` of every member."""
    return [setup.streams(member, word) for member in range(len(setup.regimes))]


def _module(
    setup: Setup, name: str, layers: Sequence[Linear], optimiser: AdamWSettings, copies: int
) -> Module:
    """A module with the initial weights of every member."""
    generators = _generators(setup, f"init/{name}")
    return Module(layers, generators, optimiser, copies, setup.dtype, setup.device)


def _masks(setup: Setup, name: str, module: Module, updates: int) -> Masks:
    """The masks of a module, as the regime of each member asks for them."""
    regimes = [regime[name] for regime in setup.regimes]
    first = _generators(setup, f"mask/{name}")
    rewires = _generators(setup, f"rewire/{name}")
    return Masks(module, regimes, first, rewires, updates)
