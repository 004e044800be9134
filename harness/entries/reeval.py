"""`reeval`: measures every policy of an entry anew, and signs what that says of the entry.

No code of a submission runs: networks are rebuilt from the plan's settings, and tensors come from
safetensors whose shapes are known beforehand (policies.py). `--retrain` trains some runs again too.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from envs.fingerprint import fingerprint
from envs.tasks import TASKS
from envs.worker import EnvironmentFault, Worker
from harness.board.beacon import awaited_round
from harness.board.statements import read_clone
from harness.config import build
from harness.entries.first_masks import first_mask_defects
from harness.entries.platform import differences
from harness.entries.retrain import NOTHING, Retrained, Retraining, train_again
from harness.entries.rollout import RolledOut, Trial, roll_out
from harness.entries.verified import Verified, accepted, judge
from harness.entries.work import SCHEMA, Begun, check_own, nonce_of, where
from harness.errors import Incomplete, UserError
from harness.files import dump_json, write_atomic
from harness.folder import Folder
from harness.machine import provenance
from harness.training.precision import prepare
from leaderboard.formats import envelope, reeval
from leaderboard.formats.catalogue import return_range
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.manifest import Hardware
from leaderboard.formats.reeval import NONCE_DIGITS, Drawn, Reevaluation, reeval_document
from leaderboard.formats.statement import Signer
from leaderboard.statistics import claimed
from leaderboard.statistics.equivalence import equivalence


@dataclass(frozen=True)
class Streams:
    """Which fresh episodes a re-evaluation plays."""

    board: Path | None = None
    """A clone: they follow from the leaf that accepted the entry, and a later round of the beacon.
    Without one, this machine draws them."""
    beacon: Path | None = None
    """File of that round; without one it is fetched."""

    def nonce(self, entry: Verified, key: SigningKey, retrain: int = 0) -> tuple[str, Drawn | None]:
        """The name of the streams, and what it follows from. UserError for a key that may not
        measure for the board, or not so little."""
        if self.board is None:
            return secrets.token_hex(NONCE_DIGITS // 2), None
        log = read_clone(self.board)
        root = log.board.root
        ended = sum(not run.missing for run in entry.runs)
        if key.public_hex in root.runners.public_keys:
            if retrain < ended:
                raise UserError(
                    f"key {key.key_id[:16]} is a runner's of {root.origin}, who trains every run of"
                    f" an entry again: give --retrain {ended}."
                )
        elif key.public_hex not in root.reevaluators.public_keys:
            raise UserError(
                f"key {key.key_id[:16]} is no re-evaluator and no runner of {root.origin}."
            )
        payload = entry.documents.payload_sha256
        for logged in log.board.entries.values():
            if logged.leaf.entry == payload:
                served = awaited_round(log, logged.index, logged.leaf, self.beacon)
                drawn = Drawn(logged.index, served)
                return drawn.nonce(root.origin, logged.leaf), drawn
        raise UserError(f"{entry.path}: is no entry that {root.origin} has accepted.")


CHOSEN = Streams()


@dataclass(frozen=True)
class Outcome:
    """A re-evaluation, and the file that it was signed into."""

    path: Path
    stated: Reevaluation


def reevaluate(
    entry: Path,
    key: SigningKey,
    to: Path | None = None,
    again: Retraining = NOTHING,
    trust: Path | None = None,
    streams: Streams = CHOSEN,
    tensors: Path | None = None,
) -> Outcome:
    """Measures an entry's policies, trains some runs of it `again`, and signs the outcome, beside
    the entry or to `to`. `streams`: which fresh episodes; `tensors`: the folder of tensors that do
    not lie beside the entry.

    Raises Refused if the entry does not verify, Unreadable if its policies cannot be rolled out,
    Incomplete if environments break or the round of the beacon lies ahead, and what training does.
    """
    verified = accepted(entry, judge(entry, trust, tensors=tensors))
    if key.public_hex == verified.documents.statement.predicate.signer.public_key:
        raise UserError(
            f"{entry}: is signed with this very key; an entry is re-evaluated with another's."
        )
    if not any(run.finished for run in verified.runs):
        raise UserError(f"{entry}: no run finished; there is no policy to measure.")
    plan = verified.plan
    again = again.for_entry(verified)
    theirs = [entry.parent] if tensors is None else [entry.parent, tensors]
    nonce, drawn = _nonce(verified, key, streams, again, theirs)
    torch.set_num_threads(1)

    # A GPU's tf32 products are float32 ones here: they only round less.
    prepare("float32" if plan.precision == "tf32" else plan.precision, "cpu", deterministic=False)

    try:
        with Worker(again.options.watchdog_seconds) as worker:
            fingerprints = {task: fingerprint(TASKS[task], worker) for task in plan.observations}
            trial = Trial(plan, worker, nonce)
            rolled_out = roll_out(trial, verified.read, verified.runs)
            retrained = train_again(verified, trial, again) if again.count else []
    except EnvironmentFault as fault:
        after = "goes on" if again.work else "begins again"
        raise Incomplete(f"{fault}. Nothing was signed; the same command {after}.") from None

    # Sign the outcome, a refusal too.
    stated = _stated(verified, (nonce, drawn), fingerprints, rolled_out, retrained, key)
    path = to or Folder(entry.parent).reeval
    document = dump_json(reeval_document(verified.documents.payload_sha256, stated))
    write_atomic(path, dump_json(envelope.sign(document, key)))
    return Outcome(path, stated)


def _nonce(
    entry: Verified, key: SigningKey, streams: Streams, again: Retraining, theirs: list[Path]
) -> tuple[str, Drawn | None]:
    """The name of the fresh streams, and what it follows from; that of `again.work`, if it began
    there. `theirs`: the submitter's folders."""
    nonce, drawn = streams.nonce(entry, key, again.count)
    if again.work is None:
        return nonce, drawn
    check_own(again.work, theirs)
    begun = Begun(SCHEMA, entry.documents.payload_sha256, nonce, where(again.options))
    return nonce_of(again.work, begun, drawn is not None), drawn


def _stated(
    entry: Verified,
    streams: tuple[str, Drawn | None],
    fingerprints: dict[str, str],
    rolled_out: list[RolledOut],
    retrained: list[Retrained],
    key: SigningKey,
) -> Reevaluation:
    """What the rollouts say of an entry, as it is signed."""
    differs = differences(entry.documents.statement.predicate, fingerprints)
    tests = claimed.compare([run.episodes() for run in rolled_out])

    # What contradicts the entry: the claims, the bits, the masks, the training.
    defects = tests.defects
    defects += _unrepeated(rolled_out, retrained, differs)
    defects += first_mask_defects(entry.plan, entry.runs)
    return Reevaluation(
        signer=Signer.of(key),
        plan=entry.plan.id,
        nonce=streams[0],
        drawn=streams[1],
        fresh_episodes=entry.plan.evaluation.fresh_episodes,
        differs=tuple(differs),
        defects=tuple(defects),
        runs=tuple(
            reeval.RolledOut(test.run, rolled.repeated, test.claimed, test.fresh, test.p)
            for rolled, test in zip(rolled_out, tests.runs, strict=True)
        ),
        cells=tuple(reeval.Cell(test.group, test.difference, test.p) for test in tests.groups),
        retrained=tuple(
            reeval.TrainedAgain(run.run.name, run.repeated, run.fresh) for run in retrained
        ),
        equivalence=_equivalence(rolled_out, retrained),
        versions=provenance.versions(),
        hardware=build(Hardware, provenance.hardware(), "hardware"),
        fingerprints=fingerprints,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _unrepeated(
    rolled_out: list[RolledOut], retrained: list[Retrained], differs: list[str]
) -> list[str]:
    """Bits that did not come out again although nothing that the entry states explains it."""
    if differs:
        return []
    defects = [
        f"{run.run.name}: its policy returns other bits on the claimed episodes, on a machine like"
        " the one that the entry names"
        for run in rolled_out
        if not run.repeated
    ]
    defects += [
        f"{run.run.name}: trained again, its records are other ones, on a machine like the one"
        " that the entry names"
        for run in retrained
        if not run.repeated
    ]
    return defects


def _equivalence(
    rolled_out: list[RolledOut], retrained: list[Retrained]
) -> reeval.Equivalence | None:
    """The test of retrained scores on another machine, where their records cannot be compared."""
    if all(run.repeated for run in retrained):
        return None

    # A run that failed, here or in the entry, scores the lowest return of its task.
    measured = {run.run: run.episodes() for run in rolled_out}
    again = list[float]()
    entry = list[float]()
    for run in retrained:
        low, _ = return_range(run.run.task)
        episodes = measured.get(run.run)
        again.append(low if run.fresh is None else run.fresh)
        entry.append(low if episodes is None else claimed.mean(episodes.fresh, episodes.low))
    test = equivalence(again, entry)
    return reeval.Equivalence(test.low, test.high, test.margin, test.power, test.passed)


def verdict_lines(outcome: Outcome) -> Iterator[str]:
    """The outcome in words, a line for each run."""
    stated = outcome.stated
    for run in stated.runs:
        repeated = "repeated to the bit" if run.repeated else "not repeated to the bit"
        scores = f"claimed {run.claimed:.1f}, fresh episodes {run.fresh:.1f}"
        yield f"{run.run}: {scores} (p {run.p:.2g}); {repeated}"
    if not all(run.repeated for run in stated.runs):
        why = "; ".join(stated.differs) or "nothing that the entry states explains it"
        yield f"bits did not repeat: {why}"

    for again in stated.retrained:
        came_out = "the same records" if again.repeated else f"fresh episodes {again.fresh}"
        yield f"{again.run}: trained again: {came_out}"
    if stated.equivalence is not None:
        yield _in_words(stated.equivalence)

    yield from (f"REFUSED: {defect}" for defect in stated.defects)
    verdict = "accepted" if stated.accepted else "REFUSED"
    yield f"{outcome.path}: {stated.level}, {verdict}"


def _in_words(test: reeval.Equivalence) -> str:
    """The test of retrained scores, with what it could have found."""
    word = "equivalent" if test.equivalent else "not shown to be equivalent, so not L2"
    interval = "too few runs to compare"
    if test.low is not None and test.high is not None:
        interval = f"90% interval of the difference {test.low:.1f} to {test.high:.1f}"
    return f"retrained scores: {word}; {interval}, margin {test.margin:.1f}, power {test.power:.0%}"
