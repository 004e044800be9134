"""The life of a run: suite, plan, cohorts, executor, entry, verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.entries.entry import write_entry
from harness.entries.page import write_report
from harness.entries.registered import check_registered
from harness.errors import (
    NONCONFORMING,
    RESUME,
    USAGE,
    Incomplete,
    NonConforming,
    UserError,
    together,
)
from harness.executors import Executor, executor
from harness.exports import live
from harness.folder import Folder
from harness.machine import image, resources
from harness.options import Options
from harness.planning import finding
from harness.planning.cohorts import Cohort, Cohorts, frozen_cohorts, partition, read_cohorts
from harness.planning.estimate import estimate
from harness.planning.plan import Plan, check_writable, read_plan, write_plan
from harness.planning.reader import load
from harness.planning.request import Request, plan_of
from harness.planning.sizing import card_gib
from harness.summary import State, Summary, judged, read_state, summary
from harness.training import precision
from harness.training.agreed import agreed
from harness.training.lease import turn
from harness.training.unit import finished, open_of
from harness.words import count, duration, gib, say
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.names import OWN
from leaderboard.verification.checks import Verdict
from leaderboard.verification.verify import verify


@dataclass(frozen=True)
class CarriedOut:
    """A plan that was carried out, and the verdict on its entry."""

    summary: Summary
    verdict: Verdict


def execute(request: Request, key: SigningKey) -> CarriedOut:
    """Carry a request out. Raises Incomplete if runs are missing at the end."""
    suite, plan = plan_of(request)
    if warning := finding.warning(plan):
        say(warning)
    return carry_out(plan, suite.device, request, key)


def execute_plan(folder: Path, request: Request, key: SigningKey) -> CarriedOut:
    """Carry out the plan in a folder, as it is, in that folder. Of the request, suite, folder and
    changes do not count."""
    plan = read_plan(Folder(folder).plan)
    folder = folder.resolve()
    if folder.name != plan.id:
        raise UserError(f"{folder}: holds plan {plan.id}; a plan's folder is named after it.")

    # Weeks later it would be too late.
    check_registered(folder, plan, executor(request.executor, request.own).image_content)
    need = "any" if plan.suite.name.startswith(OWN) else load(plan.suite.name).suite.device
    return carry_out(plan, need, replace(request, out=folder.parent), key)


def preview(request: Request, folder: Path | None = None) -> str:
    """What `--dry-run` prints: what would be handed to a scheduler. Nothing is written.

    `folder`: of a plan that was made already, as for `execute_plan`.
    """
    # The executor is asked first: most take no --dry-run.
    chosen = executor(request.executor, request.own)
    if folder is None:
        suite, plan = plan_of(request)
        need = suite.device
        folder = request.out / plan.id
    else:
        plan = read_plan(Folder(folder).plan)
        need = "any" if plan.suite.name.startswith(OWN) else load(plan.suite.name).suite.device
    device = chosen.choose_device(request.options, need, plan.suite.name)
    precision.check(plan.precision, device)

    # The cohorts of the folder, or those that it will get.
    cohorts = read_cohorts(folder)
    if cohorts is None:
        device_class = device.partition(":")[0]
        cohorts = partition(plan, device_class, request.members, card_gib(device))
    open_cohorts = [cohort for cohort in cohorts.cohorts if not finished(folder, cohort)]
    if not open_cohorts:
        raise UserError(_nothing_left(plan, folder))
    jobs = _jobs(request, plan, open_cohorts, device, chosen)
    options = replace(request.options, device=device, jobs=jobs)
    return chosen.preview(folder, plan, open_cohorts, options)


def carry_out(plan: Plan, need: str, request: Request, key: SigningKey) -> CarriedOut:
    """Carry out a plan that was made already; `need`: the device that its suite asks for.

    Of the request, everything but the suite counts.
    """
    # What must be right before anything is written.
    started = time.time()
    chosen = executor(request.executor, request.own)
    check_writable(request.out)
    image.check_sample()
    device = chosen.choose_device(request.options, need, plan.suite.name)
    precision.check(plan.precision, device)
    store = live.store(request.log, request.out) if request.log else None
    if advice := image.unkept(request.out):
        say(advice)

    # Training, unless every result and the manifest are there.
    folder = write_plan(plan, request.out)
    cohorts = _cohorts(folder, plan, device, request.members)
    open_cohorts = open_of(folder, cohorts)
    errors: list[UserError] = []
    executing = bool(open_cohorts) or not Folder(folder).manifest.exists()
    if executing:
        jobs = _jobs(request, plan, open_cohorts, device, chosen)
        options = replace(request.options, device=device, jobs=jobs)
        chosen.check(folder, open_cohorts, options)
        say(_beginning(plan, folder, open_cohorts, options))
        with turn(Folder(folder).leases):
            _withdraw(folder)
        with live.Live(plan, folder, store) if store else nullcontext():
            errors = chosen.execute(folder, plan, open_cohorts, options)

        # Nothing is sealed that the same command cannot complete: whoever acts on it runs again.
        if any(error.code in (NONCONFORMING, USAGE) for error in errors):
            raise together(errors)
    else:
        say(_nothing_left(plan, folder))

    # The entry, and what is said of it. Another engine may have written one meanwhile.
    with turn(Folder(folder).leases):
        if executing:
            _seal_anew(folder, errors, lambda: chosen.seal(folder, plan, started, options))
        carried_out = _sealed(folder, plan, key, read_state(folder, plan, cohorts))
    if errors:
        raise together(errors)
    if not carried_out.summary.complete:
        raise Incomplete("some runs have no result.", RESUME)
    return carried_out


def _cohorts(folder: Path, plan: Plan, device: str, members: int | None) -> Cohorts:
    """The cohorts of a plan folder, which are fixed when the first one begins."""
    device_class = device.partition(":")[0]
    freeze = partial(frozen_cohorts, folder, plan, device_class, members, card_gib(device))
    cohorts = agreed(folder, freeze)
    if members not in (None, cohorts.members):
        say(f"{Folder(folder).cohorts}: cohorts are fixed already; --members does not count.")
    return cohorts


def _nothing_left(plan: Plan, folder: Path) -> str:
    runs = count(len(plan.runs), "run")
    return f"plan {plan.id} in {folder}: nothing is left to do, every one of {runs} is there."


def _beginning(plan: Plan, folder: Path, cohorts: list[Cohort], options: Options) -> str:
    """What is about to be carried out: how much of it, where, and for how long."""
    jobs = options.jobs or 1
    runs = count(sum(len(cohort.runs) for cohort in cohorts), "run")
    sentence = f"plan {plan.id}: {runs} in {count(len(cohorts), 'cohort')}"
    if jobs > 1:
        sentence += f", {jobs} at a time"
    sentence += f" on {options.device}; results go to {folder}"

    # Rates are known of CPUs alone.
    if options.device != "cpu":
        return f"{sentence}; time on a GPU is not estimated."
    if not cohorts:
        return f"{sentence}."
    seconds = estimate(plan, cohorts).core_hours * 3600.0 / jobs
    return f"{sentence}; about {duration(seconds)} (estimate, good to a factor of two)."


def _withdraw(folder: Path) -> None:
    """Remove report, entry and manifest, which know nothing of what is about to be carried out.

    Wherever this session is killed, the next one then seals and signs.
    """
    paths = Folder(folder)
    for path in (paths.report, paths.entry, paths.manifest):
        path.unlink(missing_ok=True)


def _seal_anew(folder: Path, errors: list[UserError], seal: Callable[[], None]) -> None:
    """Write the manifest in the place of an earlier one, and of all that knows it."""
    _withdraw(folder)
    try:
        seal()
    except Incomplete as error:
        raise together([*errors, error]) from None


def _sealed(folder: Path, plan: Plan, key: SigningKey, state: State) -> CarriedOut:
    """A plan folder in short, once its entry is signed and verified."""
    verdict = _signed(folder, plan, key, state)
    return CarriedOut(judged(summary(folder, plan, state), verdict), verdict)


def _signed(folder: Path, plan: Plan, key: SigningKey, state: State) -> Verdict:
    """The verdict on a plan folder's entry, which is signed first, with its report."""
    # A one-use key never replaces a signature that is there.
    paths = Folder(folder)
    signing = not paths.entry.exists() or not key.one_use
    if signing:
        write_entry(folder, plan, key, state.runs)

    # It is judged as anyone would judge it, by its files alone.
    verdict = verify(paths.entry)
    if verdict.accepted and (signing or not paths.report.exists()):
        write_report(folder, verdict)
    return verdict


def _jobs(
    request: Request, plan: Plan, cohorts: list[Cohort], device: str, chosen: Executor
) -> int:
    """Cohorts at a time: as asked, else one a core, or a GPU, as far as memory goes; all of them
    where a scheduler decides.

    Raises NonConforming if memory or disk do not suffice.
    """
    # What fits: of the free memory, as many cohorts as it holds.
    needs = estimate(plan, cohorts)
    memory = resources.memory_gib()
    fitting = int(memory / needs.memory_gib) if cohorts else 1
    if chosen.elsewhere:
        fitting = max(1, len(cohorts))

    # What is asked for, or else useful.
    jobs = request.options.jobs
    if chosen.one_by_one:
        jobs = 1
    elif jobs is None and chosen.elsewhere:
        jobs = fitting
    elif jobs is None:
        jobs = min(resources.cores(), max(1, fitting)) if device == "cpu" else chosen.gpus
    jobs = min(jobs, max(1, len(cohorts)))
    if jobs > fitting:
        raise NonConforming(
            f"{count(jobs, 'cohort')} at a time: needs about {gib(jobs * needs.memory_gib)} of"
            f" memory, and {gib(memory)} are free. Give fewer --jobs, fewer --members (the cohorts"
            " are then others), or a machine with more memory."
        )

    # The disk must hold all results, and the checkpoints of what runs at a time.
    disk = resources.disk_gib(request.out)
    needed_disk = needs.disk_gib + jobs * needs.checkpoint_gib
    if needed_disk > disk:
        raise NonConforming(
            f"--out {request.out}: results and checkpoints need about {gib(needed_disk)} of"
            f" disk, and {gib(disk)} are free. Make room, or give another --out."
        )
    return jobs
