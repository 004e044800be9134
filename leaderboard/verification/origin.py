"""Checks (6), (11) and (13): what others say: the image's release, the recorded simulation, a
re-evaluation."""

from __future__ import annotations

import json
from importlib import resources

from leaderboard.formats.layout import run_file, weights_file
from leaderboard.formats.reeval import read_reeval
from leaderboard.formats.release import read_release
from leaderboard.verification.checks import Defect, Entry, Judgement, passed, unknown


def check_image(entry: Entry) -> Judgement:
    """(6) Threat: a modified harness. The image's content is the submitter's word: who lies about
    it is found by a re-evaluation."""
    image = entry.predicate.image
    if image is None:
        if entry.predicate.ranked or entry.release is not None:
            raise Defect("the entry does not come from a reference image")
        return unknown("not from a reference image")

    # Without a release statement nobody vouches for that content.
    digest = image.content_sha256
    if entry.release is None:
        content = f"{image.variant} image of content {digest[:16]}"
        return unknown(f"{content}, no --release file was given")

    # With one, it must be the entry's.
    release = read_release(entry.release, entry.trust)
    if (release.content_sha256, release.variant) != (digest, image.variant):
        raise Defect(
            f"{entry.release}: is the release of another image than the entry's, content"
            f" {digest[:16]}"
        )
    return passed(f"release {release.version} ({release.variant}), commit {release.commit[:12]}")


def check_simulation(entry: Entry) -> Judgement:
    """(11) Threat: changed physics. A CPU of another kind simulates with other bits too, so these
    are recorded for each instruction set, and forbid no more than a rank."""
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
        if entry.predicate.ranked:
            raise Defect(f"calls itself ranked, but {sentence} {architecture}")
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
    """(13) Threat: fabricated returns, and policies that do not earn what they claim. Nothing of
    the training before the final policy is seen, unless the re-evaluation trained again."""
    if entry.reeval is None:
        return unknown("no --reeval file was given")
    reeval = read_reeval(entry.reeval, entry.sha256, entry.trust)

    # A re-evaluation vouches for policies: without them in the entry, nobody can repeat it.
    files = [weights_file(module) for module in entry.plan.policy_modules]
    policies = [run_file(run.name, file) for run in entry.present_runs for file in files]
    complete = all(entry.lists(policy) for policy in policies)
    level = reeval.level if complete else "L0"
    repeated = sum(run.repeated for run in reeval.runs)
    outcome = f"{repeated} of {len(reeval.runs)} policies repeated to the bit"
    return passed(f"{level}, {outcome}, key {reeval.signer.key_id[:16]}", level)
