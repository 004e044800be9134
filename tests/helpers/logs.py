"""Logs made by hand: keys, checkpoints, and what a stranger could make of them."""

from leaderboard.formats.keys import one_use_key
from leaderboard.formats.log.bundle import leaf_bytes
from leaderboard.formats.log.checkpoint import (
    Checkpoint,
    LogPolicy,
    cosign_checkpoint,
    log_key,
    sign_checkpoint,
    witness_key,
)
from leaderboard.formats.log.merkle import Tree, leaf_hash
from leaderboard.formats.log.note import Note

ORIGIN = "example.org/board"
LOG_KEYS = (one_use_key(), one_use_key())
"""Of two maintainers."""
WITNESS_KEYS = {"example.org/w1": one_use_key(), "example.com/w2": one_use_key()}
POLICY = LogPolicy(
    ORIGIN,
    logs=tuple(log_key(key, ORIGIN) for key in LOG_KEYS),
    witnesses=tuple(witness_key(key, name) for name, key in WITNESS_KEYS.items()),
    quorum=2,
)
TIME = 1_750_000_000


def leaf(number):
    """A leaf that says nothing but its number."""
    return leaf_bytes({"kind": "test", "number": number})


def tree_of(leaves):
    """The tree of some leaves."""
    return Tree(map(leaf_hash, leaves))


def checkpoint_of(leaves, origin=ORIGIN):
    """The checkpoint of a log of these leaves."""
    tree = tree_of(leaves)
    return Checkpoint(origin, tree.size, tree.root(tree.size))


def signed(checkpoint, *, keys=LOG_KEYS[:1], witnesses=(), time=TIME):
    """The note of a checkpoint; `witnesses`: names in WITNESS_KEYS."""
    signatures = [sign_checkpoint(checkpoint, key) for key in keys]
    signatures += [
        cosign_checkpoint(checkpoint, WITNESS_KEYS[name], name, time) for name in witnesses
    ]
    return Note(checkpoint.text(), tuple(signatures))
