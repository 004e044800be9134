"""Checks (6), (8), (13) and (18): where the runs come from, and what others say of them: the
image's release, the recorded simulation, a re-evaluation."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from importlib import resources

from leaderboard.board.log import BoardLog
from leaderboard.formats.catalogue import is_possible
from leaderboard.formats.document import parse
from leaderboard.formats.layout import MANIFEST, run_file, weights_file
from leaderboard.formats.log.beacon import NoLibraryError, check_round
from leaderboard.formats.manifest import Manifest, Origin
from leaderboard.formats.reeval import Level, Reevaluation, read_reeval
from leaderboard.formats.release import read_release
from leaderboard.verification.checks import Defect, Entry, Judgement, passed, unknown

CLOCKS = timedelta(days=1)
"""How far a clock may be ahead of ours."""


def check_manifest(entry: Entry) -> Judgement:
    """(6) Threat: a manifest that tells another origin than the statement, of which pages and
    comparisons read one or the other. The origin itself is the submitter's word."""
    manifest = parse(Manifest, entry.files.documents[MANIFEST], MANIFEST)
    if manifest.plan != entry.predicate.plan.id:
        raise Defect(f"{MANIFEST}: is of plan {manifest.plan}")
    for field in dataclasses.fields(Origin):
        if getattr(manifest, field.name) != getattr(entry.predicate, field.name):
            raise Defect(f"{MANIFEST}: {field.name} is not what the entry states")

    # A clock may be wrong by some hours, not by years.
    started, ended = (_moment(time) for time in (manifest.times.started, manifest.times.ended))
    if not started <= ended <= datetime.now(UTC) + CLOCKS:
        raise Defect(f"{MANIFEST}: began at {started} and ended at {ended}, which is not possible")
    entry.manifest = manifest
    return passed("as the entry states it; self-reported")


def _moment(text: str) -> datetime:
    """A time in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Defect(f"{MANIFEST}: {text[:40]!r} is no time") from None
    if moment.tzinfo is None:
        raise Defect(f"{MANIFEST}: {text[:40]!r} names no time zone")
    return moment


def check_image(entry: Entry) -> Judgement:
    """(8) Threat: a modified harness. The image's content is the submitter's word: who lies about
    it is found by a re-evaluation."""
    image = entry.predicate.image
    if image is None:
        if entry.release is not None:
            raise Defect("the entry does not come from a reference image")
        return unknown("not from a reference image")

    # Without a release statement nobody vouches for that content.
    digest = image.content_sha256
    if entry.release is None:
        content = f"{image.variant} image of content {digest[:16]}"
        return unknown(f"{content}, no --release file was given")

    # With one, it must be the entry's, and by someone who may release images.
    signed = read_release(entry.release, entry.trust)
    release = signed.statement.predicate
    if (release.content_sha256, release.variant) != (digest, image.variant):
        raise Defect(
            f"{entry.release}: is the release of another image than the entry's, content"
            f" {digest[:16]}"
        )
    if signed.trusted is None:
        return unknown(f"released by key {release.signer.key_id[:16]}, no --trust file was given")
    text = f"release {release.version} ({release.variant}), commit {release.commit[:12]}"
    return passed(f"{text}, by {signed.trusted}")


def check_simulation(entry: Entry) -> Judgement:
    """(13) Threat: changed physics. A CPU of another kind simulates with other bits too, so these
    are recorded for each instruction set. Which bits an entry states is the submitter's word."""
    stated = entry.predicate.fingerprints
    tasks = entry.plan.tasks
    if set(stated) != set(tasks):
        named = ", ".join(stated) or "no task"
        raise Defect(f"states fingerprints of {named}, its plan has {', '.join(tasks)}")

    # Bits are compared with those recorded for the same instruction set.
    architecture = entry.predicate.hardware.architecture
    recorded = _recorded(architecture)
    deviating = [task for task in tasks if recorded.get(task) not in (None, stated[task])]
    if deviating:
        sentence = f"{', '.join(deviating)} was simulated with other bits than recorded for"
        return unknown(f"{sentence} {architecture}")

    # Where none are recorded, nobody can say.
    absent = [task for task in tasks if task not in recorded]
    if absent:
        return unknown(f"nothing is recorded for {', '.join(absent)} on {architecture}")
    return passed(f"{len(tasks)} tasks as recorded for {architecture}")


def _recorded(architecture: str) -> dict[str, str]:
    """Task -> fingerprint, as recorded for an instruction set."""
    folder = resources.files("leaderboard.verification")
    text = folder.joinpath("fingerprints.json").read_text(encoding="utf-8")
    recorded: dict[str, dict[str, str]] = json.loads(text)
    return recorded.get(architecture, {})


def check_reeval(entry: Entry) -> Judgement:
    """(18) Threat: fabricated returns, and policies that do not earn what they claim. Nothing of
    the training before the final policy is seen, unless the re-evaluation trained again."""
    if entry.reeval is None:
        return unknown("no --reeval file was given")
    signed = read_reeval(entry.reeval, entry.envelope.payload_sha256, entry.trust)
    reeval = signed.statement.predicate
    if reeval.signer.public_key == entry.predicate.signer.public_key:
        raise Defect(f"{entry.reeval}: is signed with the entry's own key")
    _check_measured(entry, reeval)
    _check_retrained(entry, reeval)

    # Anybody can sign: without a trust file or a board, it shows no level.
    level = _level(entry, reeval)
    outcome = f"{level}, {reeval.fresh_episodes} fresh episodes of {len(reeval.runs)} runs"
    key = f"key {reeval.signer.key_id[:16]}"
    if signed.trusted is not None:
        by = signed.trusted
    elif entry.log is None:
        return unknown(f"{outcome}, by {key}, no --trust file was given")
    else:
        open_question = _by_board(entry, entry.log, reeval)
        if open_question:
            return unknown(f"{outcome}, by {key}: {open_question}")
        by = f"{key}, which {entry.log.board.root.origin} trusts with it"
    entry.reevaluation = signed
    return passed(f"{outcome}, by {by}", level)


def _level(entry: Entry, reeval: Reevaluation) -> Level:
    """How far a re-evaluation checked the entry. Training all of it again is L3, from a runner of
    the board alone; Defect for a runner who did less."""
    if entry.log is None or entry.trust is not None:
        return reeval.level
    if reeval.signer.public_key not in entry.log.board.root.runners.public_keys:
        return reeval.level
    if not reeval.trained_all(entry.predicate.runs):
        raise Defect(
            f"{entry.reeval}: its key is a runner's of the board, and not every run was trained"
            " again and came out the same"
        )
    return "L3"


def _by_board(entry: Entry, log: BoardLog, reeval: Reevaluation) -> str:
    """What leaves open whether a re-evaluation counts on a board; empty if it does. Defect for one
    that a stranger wrote, or on episodes that its maker chose."""
    root = log.board.root
    judges = root.reevaluators.public_keys | root.runners.public_keys
    if reeval.signer.public_key not in judges:
        raise Defect(f"{entry.reeval}: its key is none of the board's re-evaluators or runners")
    drawn = reeval.drawn
    if drawn is None:
        return "its episodes were not drawn from the beacon"
    logged = log.board.entries.get(drawn.index)
    if logged is None or logged.leaf.entry != entry.envelope.payload_sha256:
        raise Defect(f"{entry.reeval}: leaf {drawn.index} did not accept this entry")

    # The round came after the entry was accepted, and the streams follow from both.
    root = log.board.root_at(drawn.index)
    expected = root.beacon.round_from(logged.leaf.at + root.delay)
    try:
        check_round(drawn.round, expected, root.beacon, str(entry.reeval))
    except NoLibraryError as error:
        return str(error)
    if reeval.nonce != drawn.nonce(root.origin, logged.leaf):
        raise Defect(f"{entry.reeval}: its episodes do not follow from leaf and round")
    return ""


def _check_measured(entry: Entry, reeval: Reevaluation) -> None:
    """It measured every finished run of this entry once, against what the entry claims, on as many
    episodes as the suite says, and anyone can repeat it: the policies are signed."""
    finished = {run.name: run for run in entry.predicate.runs if run.finished}
    if Counter(run.run for run in reeval.runs) != Counter(list(finished)):
        raise Defect(f"{entry.reeval}: is not of exactly the finished runs of this entry")
    episodes = entry.plan.evaluation.fresh_episodes
    if reeval.fresh_episodes != episodes or reeval.plan != entry.predicate.plan.id:
        raise Defect(f"{entry.reeval}: is of another plan, or not of {episodes} fresh episodes")

    for measured in reeval.runs:
        run = finished[measured.run]
        if measured.claimed != run.score or not is_possible(run.task, measured.fresh):
            raise Defect(f"{entry.reeval}: {run.name}: states another claim, or no possible score")
        for module in entry.plan.policy_modules:
            if not entry.lists(run_file(run.name, weights_file(module))):
                raise Defect(f"{run.name}: its policy is not among the signed files")


def _check_retrained(entry: Entry, reeval: Reevaluation) -> None:
    """Runs that were trained again are runs of the entry that ended, each once."""
    ended = {run.name for run in entry.predicate.runs if not run.missing}
    names = [run.run for run in reeval.retrained]
    if len(set(names)) != len(names) or not set(names) <= ended:
        raise Defect(f"{entry.reeval}: trained runs again that this entry does not have")
