"""What a run leaves in its folder: tensors, masks, timing, and result.json last of all."""

from __future__ import annotations

import resource
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from agents.protocol import Agent
from harness.config import build
from harness.errors import UserError
from harness.files import Files, dump_json, read_json
from harness.folder import Folder, RunFolder
from harness.training.clock import Clock
from leaderboard.formats.document import DocumentError
from leaderboard.formats.network import Size
from leaderboard.formats.run import (
    Count,
    Failure,
    FailureSignature,
    Run,
    StatedRun,
    parse_result,
    score,
)

TIMING_SCHEMA = "urn:mst-bench:timing:v1"


@dataclass(frozen=True)
class Timing:
    """timing.json: what of a run is not the same on every machine."""

    schema: str
    started: float
    """Seconds since 1970."""
    ended: float
    """Never before `started` and the time that was spent, however the machine's clock was set."""
    seconds: dict[str, float]
    """Of the whole cohort, by what it did: train, env, eval, checkpoint."""
    resumes: int
    drifted: bool
    """Whether code or libraries changed on the way."""
    deterministic: bool
    """Whether only deterministic algorithms were allowed on a GPU."""
    peak_memory_mib: float
    """Largest resident memory of the process that ended the cohort."""

    @classmethod
    def of(cls, clock: Clock, resumes: int, drifted: bool) -> Timing:
        """The timing of a cohort that ends now, in this process."""
        return cls(
            schema=TIMING_SCHEMA,
            started=clock.started,
            ended=clock.now(),
            seconds=dict(clock.seconds),
            resumes=resumes,
            drifted=drifted,
            deterministic=torch.are_deterministic_algorithms_enabled(),
            peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
        )


Layers = Mapping[str, Tensor]
"""Layer name -> one member's tensor [copies, in, out]."""


@dataclass(frozen=True)
class RunEnd:
    """How one run ended: what its result states beside what its agent says."""

    run: Run
    member: int
    """Its place on the member axis."""
    members: int
    """Runs that were trained together."""
    size: Size
    """Counted parameters and operations of its network."""
    signatures: Sequence[FailureSignature]
    """Failure signatures that were recorded."""
    first_masks: Mapping[str, Layers]
    """Module -> its masks before training."""
    final_returns: list[float]
    """Of the final policy's episodes; none for a failed run."""
    failure: Failure | None
    environment_steps: int
    chain_head: str
    """Digest of the last record."""
    timing: Timing


def member_masks(agent: Agent, member: int) -> dict[str, Layers]:
    """Module -> the masks of one member, as they are now."""
    modules = agent.modules()
    return {name: module.masks.member_masks(member) for name, module in modules.items()}


def write_result(folder: RunFolder, agent: Agent, end: RunEnd, files: Files) -> None:
    """Writes one run's files, result.json last: tensors of its member, masks, timing."""
    modules = agent.modules()
    tensors = {
        name: module.parameters.member_parameters(end.member) for name, module in modules.items()
    }
    last_masks = member_masks(agent, end.member)
    chains = {name: module.masks.chains[end.member] for name, module in modules.items()}

    # Before the result: a run is finished once its result is there.
    for name, layers in tensors.items():
        files.write(folder.tensors(name), save(dict(layers)))
    files.write(folder.tensors("masks"), _masks(end.first_masks, last_masks, chains))
    files.write_json(folder.timing, asdict(end.timing))

    # Parameters are counted from the tensors themselves. Biases are never masked.
    weights = {name: _count(masks) for name, masks in last_masks.items()}
    total = sum(_elements(layers) for layers in tensors.values())
    masked = sum(count.total - count.active for count in weights.values())
    result = StatedRun(
        task=end.run.task,
        regime=end.run.regime,
        seed=end.run.seed,
        status="finished" if end.failure is None else "failed",
        failure=end.failure,
        score=score(end.final_returns),
        final_returns=tuple(end.final_returns),
        environment_steps=end.environment_steps,
        updates=dict(agent.counts()),
        members=end.members,
        weights=weights,
        parameters={"total": total, "active": total - masked},
        flops={"total": end.size.flops, "active": end.size.active_flops},
        failure_signatures=tuple(end.signatures),
        rewires={name: module.masks.rewires[end.member] for name, module in modules.items()},
        mask_first={name: chain[0] for name, chain in chains.items()},
        mask_last={name: chain[-1] for name, chain in chains.items()},
        chain_head=end.chain_head,
    )
    files.write_json(folder.result, asdict(result))


def _count(masks: Layers) -> Count:
    """Weights of a module over all its copies, and those that its masks keep."""
    active = sum(int(mask.sum()) for mask in masks.values())
    return Count(_elements(masks), active)


def _elements(layers: Layers) -> int:
    return sum(tensor.numel() for tensor in layers.values())


def _masks(
    first: Mapping[str, Layers], last: Mapping[str, Layers], chains: Mapping[str, list[str]]
) -> bytes:
    """The bytes of masks.safetensors.

    Masks are packed eight to a byte; their shapes are the weights'. The metadata hold the digest of
    every rewire under one key, since safetensors writes several keys in no fixed order.
    """
    tensors = dict[str, Tensor]()
    for moment, modules in (("first", first), ("last", last)):
        for module, layers in modules.items():
            for name, mask in layers.items():
                bits = np.packbits(mask.numpy())
                tensors[f"{moment}/{module}/{name}"] = torch.from_numpy(bits)
    return save(tensors, metadata={"digests": dump_json(dict(chains)).decode()})


def read_results(folder: Path, runs: tuple[Run, ...]) -> dict[Run, StatedRun]:
    """result.json of every run that has one; UserError if one was edited."""
    paths = {run: Folder(folder).run(run).result for run in runs}
    return {run: read_result(path) for run, path in paths.items() if path.exists()}


def read_result(path: Path) -> StatedRun:
    """The result in a file; UserError if it cannot be read or was edited."""
    try:
        return parse_result(path.read_bytes(), str(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except DocumentError as error:
        raise UserError(
            f"{error} It was cut or edited: remove it; the same command makes it again."
        ) from None


def time_shares(folder: Path, cohorts: Iterable[tuple[Run, ...]]) -> dict[str, float]:
    """Where the time of finished cohorts went: activity -> share of their wall time, and the
    `rest`; empty before a cohort has finished."""
    spent = Counter[str]()
    wall = 0.0
    for runs in cohorts:
        # The runs of a cohort share their time: one of them speaks for all.
        for timing in read_timings(folder, runs[:1]):
            spent.update(timing.seconds)
            wall += timing.ended - timing.started

    if not spent or wall == 0.0:
        return {}
    shares = {activity: seconds / wall for activity, seconds in spent.most_common()}
    return {**shares, "rest": 1.0 - sum(shares.values())}


def read_timings(folder: Path, runs: tuple[Run, ...]) -> list[Timing]:
    """timing.json of every run that has one."""
    paths = [Folder(folder).run(run).timing for run in runs]
    return [build(Timing, read_json(path), str(path)) for path in paths if path.exists()]
