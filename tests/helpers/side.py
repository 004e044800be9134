"""Side statements about a forged entry: re-evaluations and releases that somebody signs."""

import hashlib

from harness.files import dump_json
from helpers.forgery import signed_bytes
from leaderboard.formats import envelope

STATEMENT = "https://in-toto.io/Statement/v1"


def reeval_of(forgery, key, *, runs=None, retrained=(), signer=None, **changes):
    """The path of a re-evaluation that agrees with every claim.

    `runs`: those that it is about; `signer`: what it says wrongly of who signs; `changes`: other
    fields than stand here.
    """
    about = forgery.runs if runs is None else runs
    predicate = {
        "plan": forgery.predicate["plan"]["id"],
        "nonce": "0" * 32,
        "drawn": None,
        "fresh_episodes": forgery.plan["evaluation"]["fresh_episodes"],
        "differs": [],
        "defects": [],
        "runs": [rolled_out(run) for run in about if run["status"] == "finished"],
        "cells": [],
        "retrained": list(retrained),
        "equivalence": None,
        "versions": forgery.predicate["versions"],
        "hardware": forgery.predicate["hardware"],
        "fingerprints": forgery.predicate["fingerprints"],
        "time": "2026-01-01T00:00:00+00:00",
    }
    payload = envelope.open_envelope(forgery.entry.read_bytes()).payload
    subject = {"entry.dsse.json": hashlib.sha256(payload).hexdigest()}
    return _write(forgery, "reeval", 3, subject, predicate | changes, key, signer)


def rolled_out(run):
    """One policy whose claim came out again."""
    name = f"{run['task']}/{run['regime']}/{run['seed']}"
    points = {"claimed": run["score"], "fresh": run["score"]}
    return {"run": name, "repeated": True, **points, "p": 0.5}


def release_of(forgery, key, *, signer=None):
    """The path of a release of the image that a forged entry names."""
    predicate = {
        **forgery.predicate["image"],
        "version": "1.0",
        "commit": "f" * 40,
        "base_image": "debian",
        "lock_sha256": "d" * 64,
    }
    return _write(forgery, "release", 2, {"mst-bench": "e" * 64}, predicate, key, signer)


def _write(forgery, word, version, subjects, predicate, key, signer):
    """Signs a statement beside the entry; returns its path."""
    true = {"public_key": key.public_hex, "one_use": False}
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": d}} for name, d in subjects.items()],
        "predicateType": f"urn:mst-bench:{word}:v{version}",
        "predicate": predicate | {"signer": true | (signer or {})},
    }
    path = forgery.folder.parent / f"{word}.dsse.json"
    path.write_bytes(signed_bytes(dump_json(statement), key))
    return path
