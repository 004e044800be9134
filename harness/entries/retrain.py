"""Trains runs of an entry again, and compares how they end with what the entry holds."""

from __future__ import annotations

import itertools
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

from harness.entries.policies import Unreadable, load_policies
from harness.entries.rollout import Trial, fresh_returns, players
from harness.entries.trained import cohort_of
from harness.entries.verified import Verified
from harness.errors import RESUME, Incomplete, Interrupted, RetriesExhausted, UserError
from harness.folder import Folder
from harness.machine.device import check_name, choose_device
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.planning.plan import Plan, write_plan
from harness.seeding import generator
from harness.training import precision
from harness.training.results import read_result
from harness.training.unit import run_cohort
from harness.words import count, say
from leaderboard.formats.document import DocumentError
from leaderboard.formats.layout import RECORDS, run_file
from leaderboard.formats.records import parse_chain
from leaderboard.formats.run import Run


@dataclass(frozen=True)
class Retraining:
    """How many runs are trained again, and how."""

    count: int = 0
    options: Options = field(default_factory=Options)
    work: Path | None = None
    """Folder that keeps what was trained, for the same command to go on; None: nothing is kept."""

    begin: float = field(default_factory=time.monotonic)
    """When the command began: `options.max_wall` counts from then."""

    def for_entry(self, entry: Verified) -> Retraining:
        """With the device on which its runs are trained again: a GPU if the entry names one, and
        there is one here. NonConforming where its products cannot be computed."""
        if not self.count:
            return self
        device = self.options.device
        check_name(device)
        if entry.documents.statement.predicate.hardware.gpus:
            device = choose_device(device, "any", entry.plan.suite.name)
        else:
            if device.startswith("cuda"):
                say(f"--device {device} does not count: the entry names no GPU.")
            device = "cpu"
        precision.check(entry.plan.precision, device)
        return replace(self, options=replace(self.options, device=device))

    def left(self) -> Options:
        """The options, with what is left of the wall time; Incomplete if nothing is."""
        left = self.options.wall_left(self.begin)
        if left == 0.0:
            raise Incomplete("--max-wall is over; what was trained is kept.", RESUME)
        return replace(self.options, max_wall=left)


NOTHING = Retraining()
NOT_KEPT = "Nothing is kept; with --work FOLDER the same command would go on."
AGAIN = "The same command trains that cohort again."
"""What to do about files in `--work` that were changed."""


@dataclass(frozen=True)
class Retrained:
    """One run, trained again."""

    run: Run
    repeated: bool
    """Whether its records came out again, to the byte."""
    fresh: float | None
    """Mean return on the run's fresh episodes; None if it failed."""


def train_again(entry: Verified, trial: Trial, again: Retraining) -> list[Retrained]:
    """Trains runs again, drawn by the nonce, with the cohorts that they were in, and rolls them out
    on the fresh streams of their runs. Half of them are runs that are said to have failed, as far
    as there are any: a rival's, called failed, would count as the floor.

    Raises what `run_cohort` does, UserError for files in `again.work` that were changed."""
    # The nonce is younger than the entry: nobody could know which runs it draws.
    plan = trial.plan
    stated = {Run(*run.identity): run for run in entry.runs}
    failed = _shuffled([run for run in plan.runs if stated[run].status == "failed"], trial.nonce)
    finished = _shuffled([run for run in plan.runs if stated[run].finished], trial.nonce)
    turns = itertools.zip_longest(failed, finished)
    drawn = [run for turn in turns for run in turn if run is not None][: again.count]

    # Its neighbours change nothing of a run, but its place among them does.
    cohorts = dict[tuple[Run, ...], list[Run]]()
    for run in drawn:
        cohorts.setdefault(cohort_of(plan, entry.runs, run), []).append(run)
    say(
        f"{count(len(drawn), 'run')} of {count(len(cohorts), 'cohort')} are trained again on"
        f" {again.options.device}."
    )
    with _place(again.work) as place:
        retrained = dict[Run, Retrained]()
        for index, (places, own) in enumerate(cohorts.items()):
            folder = _trained(plan, place / str(index), places, again)
            fresh = _fresh_means(trial, folder, places)
            for run in own:
                retrained[run] = Retrained(run, _repeated(entry, folder, run), fresh.get(run))
        return [retrained[run] for run in drawn]


@contextmanager
def _place(work: Path | None) -> Iterator[Path]:
    """Where runs are trained: `work`, or a folder that goes away with the block."""
    if work is not None:
        yield work
        return
    with tempfile.TemporaryDirectory() as scratch:
        try:
            yield Path(scratch)
        except Interrupted:
            raise Interrupted(f"stopped. {NOT_KEPT}") from None
        except RetriesExhausted as error:
            raise Incomplete(f"{error.reason.partition(';')[0]}. {NOT_KEPT}") from None


def _trained(plan: Plan, place: Path, runs: tuple[Run, ...], again: Retraining) -> Path:
    """A plan folder in `place` in which a cohort of these runs has results. Other cohorts may hold
    some of them too, at other places, so each has a folder of its own."""
    try:
        folder = write_plan(plan, place)
    except UserError:
        raise UserError(f"{place}: was changed since it was written; remove it.", AGAIN) from None
    run_cohort(folder, plan, Cohort(0, runs[0].task, runs), again.left())
    return folder


def _shuffled(runs: list[Run], nonce: str) -> list[Run]:
    """Runs in the order that the nonce draws."""
    draws = generator("retrain", nonce, 0, "runs")
    return [runs[index] for index in torch.randperm(len(runs), generator=draws).tolist()]


def _repeated(entry: Verified, folder: Path, run: Run) -> bool:
    """Whether a run's records came out again, to the byte."""
    again = Folder(folder).run(run)
    name = run_file(run.name, RECORDS)
    content = _read(folder, name)
    if _head(content) != read_result(again.result).chain_head:
        raise _changed(folder, name)
    return content == entry.read(name)


def _head(content: bytes) -> str | None:
    """Digest of the last record; None if these bytes are no whole chain."""
    with suppress(DocumentError):
        return parse_chain(content, RECORDS).head
    return None


def _fresh_means(trial: Trial, folder: Path, runs: Sequence[Run]) -> dict[Run, float]:
    """Mean return on its fresh episodes of each run of a cohort that finished."""
    finished = [run for run in runs if read_result(Folder(folder).run(run).result).finished]
    if not finished:
        return {}
    policies = players(runs, finished)
    try:
        agent = load_policies(partial(_read, folder), trial.plan, policies)
    except Unreadable as error:
        raise _changed(folder, error.reason.partition(":")[0]) from None
    means = [math.fsum(own) / len(own) for own in fresh_returns(trial, agent, policies)]
    return {run: own for run, own in zip(runs, means, strict=True) if run in finished}


def _read(folder: Path, name: str) -> bytes:
    """A file of a run that was trained again."""
    try:
        return (folder / name).read_bytes()
    except OSError:
        raise _changed(folder, name) from None


def _changed(folder: Path, name: str) -> UserError:
    path = folder / name
    sentence = f"{path}: was cut or removed since it was written; remove {path.parent}."
    return UserError(sentence, AGAIN)
