"""What a run leaves under runs/<task>/<regime>/<seed>/: tensors, masks, timing, and result.json last of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from agents.protocol import Agent
from agents.sparsity.counting import Size
from harness.config import build
from harness.errors import UserError
from harness.files import dump_json, read_json, write_atomic, write_json
from harness.folder import Folder, RunFolder
from harness.planning.plan import Run
from leaderboard.formats.document import DocumentError
from leaderboard.formats.run import Count, FailureSignature, StatedRun, parse_result, score
from leaderboard.formats.run import Failure as Failure

TIMING_SCHEMA = "urn:mst-bench:timing:v1"


@dataclass(frozen=True)
class Timing:
    """timing.json: what of a run is not the same on every machine."""

    schema: str
    started: float
    """Seconds since 1970."""
    ended: float
    seconds: dict[str, float]
    """Of the whole cohort, by what it did: train, env, eval, checkpoint."""
    resumes: int
    drifted: bool
    """Whether code or libraries changed on the way."""
    deterministic: bool
    """Whether only deterministic algorithms were allowed on a GPU."""
    peak_memory_mib: float
    """Largest resident memory of the process that ended the cohort."""


def write_result(
    folder: RunFolder,
    *,
    run: Run,
    agent: Agent,
    member: int,
    members: int,
    size: Size,
    signs: list[dict[str, Any]],
    first_masks: dict[str, dict[str, Tensor]],
    final_returns: list[float],
    failure: Failure | None,
    environment_steps: int,
    chain_head: str,
    timing: Timing,
) -> None:
    """Write one run's files. Tensors are one member's, with the copies axis kept: NAME.weight [copies, in, out]."""
    modules = agent.modules()
    write_atomic(folder.tensors("policy"), _tensors(agent, member, ("encoder", "actor")))
    write_atomic(folder.tensors("critic"), _tensors(agent, member, ("critic",)))
    last_masks = {name: module.masks.member_masks(member) for name, module in modules.items()}
    digests = {name: module.masks.chains[member] for name, module in modules.items()}
    write_atomic(folder.tensors("masks"), _masks(first_masks, last_masks, digests))
    write_json(folder.timing, asdict(timing))

    weights = {name: _weights(masks) for name, masks in last_masks.items()}
    masked = sum(count.total - count.active for count in weights.values())
    total = _parameters(agent, member)
    result = StatedRun(
        task=run.task,
        regime=run.regime,
        seed=run.seed,
        status="finished" if failure is None else "failed",
        failure=failure,
        score=score(final_returns),
        final_returns=tuple(final_returns),
        environment_steps=environment_steps,
        updates=dict(agent.counts()),
        members=members,
        weights=weights,
        parameters={"total": total, "active": total - masked},
        flops={"total": size.flops, "active": size.active_flops},
        signs=tuple(
            FailureSignature(sign["name"], sign["agent_step"], sign["value"]) for sign in signs
        ),
        rewires={name: module.masks.rewires[member] for name, module in modules.items()},
        mask_first={name: chain[0] for name, chain in digests.items()},
        mask_last={name: chain[-1] for name, chain in digests.items()},
        chain_head=chain_head,
    )
    write_json(folder.result, asdict(result))


def _weights(masks: dict[str, Tensor]) -> Count:
    """Weights of a module of one member, and how many of them its masks keep."""
    total = sum(mask.numel() for mask in masks.values())
    return Count(total, sum(int(mask.sum()) for mask in masks.values()))


def _parameters(agent: Agent, member: int) -> int:
    """Weights and biases of one member."""
    total = 0
    for module in agent.modules().values():
        tensors = module.parameters.member_parameters(member).values()
        total += sum(tensor.numel() for tensor in tensors)
    return total


def _tensors(agent: Agent, member: int, names: tuple[str, ...]) -> bytes:
    modules = agent.modules()
    return save(
        {
            f"{m}/{k}": v
            for m in names
            for k, v in modules[m].parameters.member_parameters(member).items()
        }
    )


def _masks(
    first: dict[str, dict[str, Tensor]],
    last: dict[str, dict[str, Tensor]],
    digests: dict[str, list[str]],
) -> bytes:
    """Masks packed eight to a byte (their shapes are the weights'); the digest of every rewire in the metadata.

    One metadata key only: safetensors writes several in no fixed order.
    """
    tensors = {
        f"{when}/{module}/{name}": torch.from_numpy(np.packbits(mask.numpy()))
        for when, masks in (("first", first), ("last", last))
        for module, layers in masks.items()
        for name, mask in layers.items()
    }
    return save(tensors, metadata={"digests": dump_json(digests).decode()})


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
    """Where the time of finished cohorts went: shares of their wall time, by kind, and the `rest`. Empty without any."""
    spent, wall = Counter[str](), 0.0
    for runs in cohorts:
        for timing in read_timings(folder, runs[:1]):  # the runs of a cohort share their time
            spent.update(timing.seconds)
            wall += timing.ended - timing.started
    shares = {kind: seconds / wall for kind, seconds in spent.most_common()} if wall else {}
    return {**shares, "rest": 1.0 - sum(shares.values())} if shares else {}


def read_timings(folder: Path, runs: tuple[Run, ...]) -> list[Timing]:
    """timing.json of every run that has one."""
    paths = [Folder(folder).run(run).timing for run in runs]
    return [build(Timing, read_json(path), str(path)) for path in paths if path.exists()]
