"""A toy simulator and an agent of a few members on it: small, real, and the same everywhere."""

import hashlib
from dataclasses import replace

import numpy as np
import torch

from agents.mrq.agent import build
from agents.mrq.spec import MRQSpec
from agents.protocol import Setup
from agents.sparsity.regime import REGIMES, TRIPLES, ModuleRegime
from agents.spec import TaskShape

torch.set_num_threads(1)
OBSERVATION = 7
ACTION = 2
EPISODE = 40
TASK = TaskShape(OBSERVATION, ACTION, EPISODE, terminates=False)
MODULES = MRQSpec.MODULES
SMALL = MRQSpec(
    width=16, zs_dim=16, za_dim=8, zsa_dim=16, batch_size=32, warmup=60, target_cycle=10
)


def triples(regime):
    """Module -> how it is kept sparse, at the toy's interval.

    `regime`: a row of REGIMES; or a row of TRIPLES, for every module; or such a mapping itself.
    """
    if not isinstance(regime, str):
        return regime
    named = REGIMES.get(regime)
    rows = named.of(MODULES) if named else dict.fromkeys(MODULES, regime)
    return {module: _triple(row) for module, row in rows.items()}


def _triple(row):
    """A row of TRIPLES with the toy's numbers."""
    if TRIPLES[row].distribution == "dense":
        return ModuleRegime()
    return ModuleRegime.of(row, sparsity=0.6, interval=20)


HEADLINE_BLOCKS = {"encoder": "T6", "critic": "T6", "actor": "T5"}
OTHER_RESIDUALS = (
    {"residual": "pre", "shortcuts": "all", "final_norm": "none"},
    {"residual": "post", "shortcuts": "all", "final_norm": "layer"},
)
"""Ways to build residuals that between them change every default."""
HEADLINE = {name: triples(name) for name in ("dense", "sst", "dst", "mst")}


def stream(key):
    """Streams of a member named by `key`: equal names give equal numbers, wherever it stands."""

    def generator(word):
        """The stream of a word."""
        digest = hashlib.sha256(f"{key}/{word}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    return generator


class World:
    """A deterministic simulator of one member: its key and its actions decide what it returns."""

    def __init__(self, key, episode=EPISODE, terminates=False):
        """`episode`: its length in steps; `terminates`: how it ends."""
        digest = hashlib.sha256(f"world{key}".encode()).digest()
        self.random = np.random.RandomState(int.from_bytes(digest[:4], "big"))
        self.state = self.random.standard_normal(OBSERVATION)
        self.steps = 0
        self.episode = episode
        self.terminates = terminates

    def step(self, action):
        """Next observation, reward, terminated, truncated."""
        push = np.resize(action, OBSERVATION)
        after = 0.9 * self.state + 0.3 * push + 0.1 * self.random.standard_normal(OBSERVATION)
        reward = float(np.exp(-np.square(after).mean()))

        self.steps += 1
        ended = self.steps % self.episode == 0
        self.state = self.random.standard_normal(OBSERVATION) if ended else after
        return after, reward, ended and self.terminates, ended and not self.terminates


class Loop:
    """An agent with one toy world a member; `keys` name the members."""

    def __init__(
        self,
        keys,
        regimes,
        settings=SMALL,
        steps=200,
        terminates=False,
        episode=EPISODE,
        dtype=torch.float32,
        blocks=None,
        **options,
    ):
        """`regimes`: one a member, as for `triples`; `blocks`: what differs from the headline's;
        `options` go into the agent's Setup.
        """
        streams = [stream(key) for key in keys]
        setup = Setup(
            task=replace(TASK, terminates=terminates),
            agent_steps=steps,
            blocks={**HEADLINE_BLOCKS, **(blocks or {})},
            regimes=[triples(regime) for regime in regimes],
            streams=lambda member, word: streams[member](word),
            dtype=dtype,
            **options,
        )
        self.agent = build(setup, settings)
        self.worlds = [World(key, episode, terminates) for key in keys]
        self.overlap = True
        """Whether updates may run before the simulators answer."""

    def step(self):
        """One agent step, in the order of `harness.training.loop`."""
        agent = self.agent
        like = {"dtype": agent.setup.dtype, "device": agent.setup.device}

        # Act. Arrays have shape [P, E, ...] with E = 1.
        states = np.stack([world.state for world in self.worlds])
        observation = torch.from_numpy(states).to(**like)[:, None]
        action = agent.act(observation, explore=True)
        agent.begin(observation, action)
        early = self.overlap and agent.overlaps()
        if early:
            agent.update()

        # The simulators answer.
        actions = np.nan_to_num(action[:, 0].double().cpu().numpy())
        steps = [world.step(row) for world, row in zip(self.worlds, actions, strict=True)]
        following, rewards, terminated, truncated = zip(*steps, strict=True)
        agent.complete(
            torch.tensor(rewards, **like)[:, None],
            torch.from_numpy(np.stack(following)).to(**like)[:, None],
            np.array(terminated)[:, None],
            np.array(truncated)[:, None],
        )
        if not early:
            agent.update()

    def run(self, steps):
        """This many agent steps; returns the loop."""
        for _ in range(steps):
            self.step()
        return self

    def member(self, member):
        """Everything of one member that learning changes, by name."""
        state = {}
        for name, module in self.agent.modules().items():
            parameters = module.parameters
            first, second = parameters.moments
            vectors = {
                "w": parameters.flat,
                "target": parameters.target,
                "m": first,
                "v": second,
            }
            rows = slice(member * parameters.copies, (member + 1) * parameters.copies)
            for vector, flat in vectors.items():
                for key, view in parameters.layout.views(flat.detach()).items():
                    state[f"{name}/{vector}/{key}"] = view[rows].cpu().clone()
            for key, mask in module.masks.member_masks(member).items():
                state[f"{name}/mask/{key}"] = mask

        replay = self.agent.replay
        for key, tensor in {"rows": replay.rows, **replay.lap.state()}.items():
            state[f"replay/{key}"] = tensor[member].cpu().clone()
        state["reward_scale"] = self.agent.algorithm.scales.reward[member].cpu().clone()
        return state


def assert_same(member, expected):
    """Bitwise equality of two members, as `Loop.member` gives them."""
    assert member.keys() == expected.keys()
    for key, tensor in member.items():
        assert torch.equal(tensor, expected[key]), key
