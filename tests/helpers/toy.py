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
OBSERVATION, ACTION, EPISODE = 7, 2, 40
TASK = TaskShape(OBSERVATION, ACTION, EPISODE, terminates=False)
MODULES = MRQSpec.MODULES
SMALL = MRQSpec(
    width=16, zs_dim=16, za_dim=8, zsa_dim=16, batch_size=32, warmup=60, target_cycle=10
)


def triples(name):
    """The regime of a row of REGIMES, or a row of TRIPLES in every module, at the toy's interval;
    others as they are given."""
    if not isinstance(name, str):
        return name
    rows = REGIMES[name].of(MODULES) if name in REGIMES else dict.fromkeys(MODULES, name)
    return {module: _triple(row) for module, row in rows.items()}


def _triple(row):
    return (
        ModuleRegime()
        if TRIPLES[row].distribution == "dense"
        else ModuleRegime.of(row, sparsity=0.6, interval=20)
    )


HEADLINE = {name: triples(name) for name in ("dense", "sst", "dst", "mst")}


def stream(key):
    """Streams of a member named by `key`: the same name, the same numbers, wherever the member
    stands."""

    def generator(word):
        digest = hashlib.sha256(f"{key}/{word}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    return generator


class World:
    """A deterministic toy simulator of one member: what it returns depends on its key and its own
    actions alone."""

    def __init__(self, key, episode=EPISODE, terminates=False):
        self.random = np.random.RandomState(
            int.from_bytes(hashlib.sha256(f"world{key}".encode()).digest()[:4], "big")
        )
        self.state, self.steps = self.random.standard_normal(OBSERVATION), 0
        self.episode, self.terminates = episode, terminates

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
        **options,
    ):
        """`options` go into the agent's Setup."""
        streams = [stream(key) for key in keys]
        setup = Setup(
            task=replace(TASK, terminates=terminates),
            agent_steps=steps,
            blocks={"encoder": "T6", "critic": "T6", "actor": "T5"},
            regimes=[triples(name) for name in regimes],
            streams=lambda member, word: streams[member](word),
            dtype=dtype,
            **options,
        )
        self.agent = build(setup, settings)
        self.worlds = [World(key, episode, terminates) for key in keys]
        self.overlap = True

    def step(self):
        agent, kind = (
            self.agent,
            {"dtype": self.agent.setup.dtype, "device": self.agent.setup.device},
        )
        seen = torch.from_numpy(np.stack([world.state for world in self.worlds])).to(**kind)[
            :, None
        ]
        action = agent.act(seen, explore=True)
        agent.begin(seen, action)
        early = self.overlap and agent.overlaps()
        if early:
            agent.update()
        actions = action[:, 0].double().cpu().numpy()
        answers = [
            world.step(np.nan_to_num(row)) for world, row in zip(self.worlds, actions, strict=True)
        ]
        after = torch.from_numpy(np.stack([answer[0] for answer in answers])).to(**kind)[:, None]
        reward = torch.tensor([[answer[1]] for answer in answers], **kind)
        terminated = np.array([[answer[2]] for answer in answers])
        truncated = np.array([[answer[3]] for answer in answers])
        agent.complete(reward, after, terminated, truncated)
        if not early:
            agent.update()

    def run(self, steps):
        for _ in range(steps):
            self.step()
        return self

    def member(self, member):
        """Everything of one member that learning changes, by name."""
        found = {}
        for name, module in self.agent.modules().items():
            rows = slice(member * module.parameters.copies, (member + 1) * module.parameters.copies)
            first, second = module.parameters.moments
            vectors = {
                "w": module.parameters.flat,
                "target": module.parameters.target,
                "m": first,
                "v": second,
            }
            for kind, flat in vectors.items():
                for key, view in module.parameters.layout.views(flat.detach()).items():
                    found[f"{name}/{kind}/{key}"] = view[rows].cpu().clone()
            for key, mask in module.masks.member_masks(member).items():
                found[f"{name}/mask/{key}"] = mask
        replay = self.agent.replay
        for key, tensor in {"rows": replay.rows, **replay.lap.state()}.items():
            found[f"replay/{key}"] = tensor[member].cpu().clone()
        found["reward_scale"] = self.agent.algorithm.scales.reward[member].cpu().clone()
        return found


def assert_same(one, other):
    """Bitwise equality of two members."""
    assert one.keys() == other.keys()
    for key in one:
        assert torch.equal(one[key], other[key]), key
