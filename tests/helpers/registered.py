"""Entries of registered plans: a board that the plan was announced on, and files that fit it."""

from dataclasses import asdict

import rfc8785

from helpers.beacons import CHAIN, round_of
from helpers.boards import DELAY, Keys, digest, new_board
from helpers.forge import check_of, failed
from helpers.forgery import Forgery, subject
from helpers.logs import ORIGIN
from leaderboard.formats.envelope import open_envelope
from leaderboard.formats.layout import BEACON, PROOF, REGISTRATION
from leaderboard.formats.log.leaf import RegisterLeaf, SuiteLeaf, parse_leaf
from leaderboard.formats.plan import draft_digest, suite_digest
from leaderboard.formats.registration import (
    REGISTRATION_SCHEMA,
    Registration,
    blinded,
    seed_source,
)
from leaderboard.formats.shipped import ShippedPlan, claims_digest, shipped_plans
from leaderboard.verification.checks import ORDER

IMAGE = digest("image")
SALT = "5a" * 32
KEYS = Keys()
"""Of everybody on the boards of the tests that share them."""


def statuses(verdict):
    """How the checks went that show that the plan came first."""
    return [check_of(verdict, name).status for name in ORDER]


def detail(verdict, name):
    return check_of(verdict, name).detail


def refused(verdict, check, sentence):
    assert failed(verdict) == check
    assert sentence in verdict.checks[-1].detail, verdict.checks[-1].detail


def ship(monkeypatch, plan, name="tiny"):
    """From here on this release ships a suite of this plan, without claims."""
    row = ShippedPlan(suite_digest(rfc8785.dumps(plan)), claims_digest(()))
    monkeypatch.setitem(shipped_plans(), name, {"1": row})


def open_suite(board, plan, name):
    """The board opens a suite of this plan."""
    board.append(
        SuiteLeaf,
        board.keys.maintainers[:2],
        suite=name,
        version=1,
        state="open",
        plan=suite_digest(rfc8785.dumps(plan)),
        successor=None,
    )


class Registered(Forgery):
    """An honest entry of a registered plan, by `keys.submitter`; tests change parts of it.

    The order is that of the world: `register`, `witness`, `claim`, `sign`.
    """

    def __init__(self, entry, parent, keys, name="tiny", board=None, **opened):
        """A copy of `entry` under `parent`, whose suite is open on a board under this name.
        `board`: one that is there already; `opened`: what the suite's plan says otherwise there."""
        super().__init__(entry, parent)
        self.call_suite(name)
        self.predicate["image"] = {"variant": "cpu", "content_sha256": IMAGE}
        for document in (self.predicate, self.manifest):
            document["unranked_because"] = ["not a shipped suite"] if name != "tiny" else []
        self.predicate["ranked"] = name == "tiny"
        self.board = board or new_board(parent / "board", keys)
        if (name, 1) not in self.board.log().board.suites:
            open_suite(self.board, {**self.plan, **opened}, name)
        self.key = self.board.keys.submitter
        self.salt = None

    def register(self, blind=False, key=None, **changes):
        """Announce the plan; its position."""
        draft = draft_digest(rfc8785.dumps(self.plan))
        self.salt = SALT if blind else None
        key = key or self.key
        fields = {
            "key": key.key_id,
            "suite": self.suite["name"],
            "version": 1,
            "draft": blinded(SALT, draft) if blind else draft,
            "image": IMAGE,
            "blinded": blind,
        }
        self.index = self.board.append(RegisterLeaf, [key], **(fields | changes))
        return self

    @property
    def leaf(self):
        """The leaf that announced it."""
        return parse_leaf(self.board.leaves[self.index], "leaf")

    @property
    def round(self):
        """The round that the seeds must be drawn from."""
        return CHAIN.round_from(self.leaf.at + DELAY)

    def witness(self, before=1800, witnesses=(0, 1)):
        """The log is signed, and cosigned so many seconds before that round."""
        moment = CHAIN.time_of(self.round) - before
        self.board.sign(witnesses=witnesses, time=moment)
        return self

    def claim(self, served=None, **changes):
        """Take the seeds that follow, with their files. `changes`: what registration.json says
        otherwise."""
        served = served or round_of(self.round)
        self.plan["seed_source"] = seed_source(ORIGIN, self.index, self.leaf, served)
        leaf = self.leaf
        stated = Registration(REGISTRATION_SCHEMA, leaf.key, leaf.at, leaf.statement, self.salt)
        self.staple(REGISTRATION, rfc8785.dumps(asdict(stated) | changes))
        self.staple(PROOF, self.board.log().prove(self.index).content())
        self.staple(BEACON, served.content())
        self.predicate["plan"]["log_index"] = self.index
        return self

    def staple(self, name, content):
        """Another file of the registration, signed with the entry."""
        self.files[name] = content
        self.listed = [row for row in self.listed if row["name"] != name]
        self.listed.append(subject(name, content))
        return self

    def verdict(self, board=True, **options):
        """What `verify` says of it; `board`: whether a clone of the board is at hand."""
        log = self.board.log() if board is True else board
        return super().verdict(log=log or None, **options)

    def payload_sha256(self):
        """What the entry's leaf names."""
        return open_envelope(self.entry.read_bytes()).payload_sha256
