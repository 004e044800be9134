"""Statements made by hand: of runs, of an image's release, of a re-evaluation."""

from dataclasses import replace

from harness.files import dump_json
from leaderboard.formats import envelope
from leaderboard.formats.manifest import Hardware
from leaderboard.formats.reeval import Reevaluation, RolledOut, reeval_document
from leaderboard.formats.release import Release, release_document
from leaderboard.formats.run import Count, Failure, StatedRun
from leaderboard.formats.statement import Signer

MODULES = ("encoder", "critic", "actor")
CONTENT = "c" * 64
"""Digest of the content of the image that `release_bytes` releases."""


def stated(regime, seed, score, *, task="dog-run", status="finished"):
    """A planned run; with a score it states 100 weights a module, 40 of them active."""
    weights = dict.fromkeys(MODULES, Count(100, 40)) if score is not None else {}
    return StatedRun(
        task=task,
        regime=regime,
        seed=seed,
        status=status,
        failure=Failure("agent", "diverged", 1) if status == "failed" else None,
        score=score,
        final_returns=() if score is None else (score,),
        environment_steps=0,
        updates={},
        members=0 if status == "missing" else 1,
        weights=weights,
        parameters={},
        flops={},
        failure_signatures=(),
        rewires={},
        mask_first={},
        mask_last={},
        chain_head=None,
    )


def release_bytes(key, **changes):
    """A signed release of an image; `changes`: other fields than stand here."""
    release = Release(
        signer=Signer.of(key),
        version="0.1.0",
        variant="cpu",
        commit="a" * 40,
        base_image="debian",
        content_sha256=CONTENT,
        lock_sha256="d" * 64,
    )
    document = release_document({"mst-bench": "e" * 64}, release)
    document["predicate"] |= changes
    return dump_json(envelope.sign(dump_json(document), key))


def reeval_bytes(key, payload_sha256, **changes):
    """A signed re-evaluation of an entry; `changes`: other fields than stand here."""
    reevaluation = Reevaluation(
        signer=Signer.of(key),
        plan="0" * 16,
        nonce="0" * 32,
        drawn=None,
        fresh_episodes=4,
        differs=(),
        defects=(),
        runs=(RolledOut("cartpole-swingup/dense/0", True, 1.0, 1.0, 1.0),),
        cells=(),
        retrained=(),
        equivalence=None,
        versions={},
        hardware=Hardware("x86_64", "a CPU", (), 2, ()),
        fingerprints={},
        time="2026-01-01T00:00:00+00:00",
    )
    document = reeval_document(payload_sha256, replace(reevaluation, **changes))
    return dump_json(envelope.sign(dump_json(document), key))
