"""Checks (15) to (17): the plan was in a board's log before anybody could know its seeds.

What an entry brings is checked whoever looks at it: its leaf is made anew, the proof is of that
leaf, and the seeds follow from leaf and round. Whether that log is a board's, and that round a
beacon's, takes a trust root: of a clone of the board, or of what was seen of its log before.
"""

from __future__ import annotations

from datetime import UTC, datetime

from leaderboard.board.log import BoardLog
from leaderboard.board.state import Registration
from leaderboard.board.views import ForkError, View, check_stapled
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import key_id
from leaderboard.formats.layout import BEACON, PLAN, PROOF, REGISTERED
from leaderboard.formats.log.beacon import NoLibraryError, check_round
from leaderboard.formats.log.checkpoint import open_checkpoint
from leaderboard.formats.log.merkle import Tree, leaf_hash
from leaderboard.formats.log.root import Root
from leaderboard.formats.names import OWN
from leaderboard.formats.plan import suite_digest
from leaderboard.formats.registration import RegisteredPlan, registered_plan
from leaderboard.verification.checks import Defect, Entry, Judgement, Logged, passed, unknown

UNREGISTERED = "the plan was not registered: its seeds come from the suite"


def check_registration(entry: Entry) -> Judgement:
    """(15) Threats: seeds of one's own called those of a log; plan, suite or image changed after
    registration; another's registration, or two entries for one; the proof of another leaf."""
    predicate = entry.predicate
    if not entry.plan.registered:
        if predicate.ranked or predicate.plan.log_index is not None:
            raise Defect(f"is called ranked or logged, and {UNREGISTERED}")
        return unknown(UNREGISTERED)
    if predicate.ranked and entry.suite.name.startswith(OWN):
        raise Defect(f"is called ranked, and {entry.suite.name} is no shipped suite")
    entry.registered = registered = _registered(entry)

    # From here on the reader must know the log.
    leaf = f"leaf {registered.proof.index} of {registered.checkpoint.origin}"
    log = entry.log
    if log is None:
        return _by_view(entry, registered, leaf)
    if log.board.root.origin != registered.checkpoint.origin:
        raise Defect(f"is {leaf}, and the board is {log.board.root.origin}")
    if log.size < registered.checkpoint.size:
        return unknown(f"{leaf}: this copy of the board is older than its proof")
    try:
        check_stapled(registered.proof, registered.leaf.content(), registered.checkpoint, log)
    except ForkError as fork:
        entry.fork = fork
        raise
    root = log.board.root_at(registered.checkpoint.size)
    signed = open_checkpoint(registered.proof.checkpoint, root.policy(), PROOF)
    entry.logged = Logged(log.board.root_at(registered.proof.index), root, signed)
    return _by_board(entry, log, registered, leaf)


def _registered(entry: Entry) -> RegisteredPlan:
    """What the entry brings of its registration, which must fit it in every part."""
    image = entry.predicate.image
    if image is None:
        raise Defect("its plan was registered for an image, and it ran in none")
    documents = entry.files.documents
    for name in REGISTERED:
        if name not in documents:
            raise Defect(f"{name}: is not among the signed files, and the plan was registered")
    suite = (entry.suite.name, entry.suite.version)
    registered = registered_plan(
        documents, documents[PLAN], entry.plan.seed_source, suite, image.content_sha256
    )
    stated = entry.predicate.plan.log_index
    if stated != registered.proof.index:
        raise Defect(f"states leaf {stated}, and its proof is of leaf {registered.proof.index}")
    return registered


def _by_board(entry: Entry, log: BoardLog, registered: RegisteredPlan, leaf: str) -> Judgement:
    """What the board says of the registration, now that the leaf is its own."""
    index = registered.proof.index
    registration = log.board.registrations[index]
    signer = key_id(entry.predicate.signer.public_key)
    if log.board.members.get(signer) is not registration.member:
        raise Defect(
            f"is signed by key {signer[:16]}, and {leaf} is of another submitter, key"
            f" {registration.leaf.key[:16]}"
        )
    if registration.retracted is not None:
        raise Defect(f"leaf {registration.retracted} retracted {leaf}")
    suite = log.board.suites[registration.leaf.suite, registration.leaf.version]
    if suite.plan != suite_digest(entry.files.documents[PLAN]):
        raise Defect(f"{leaf}: suite {suite.suite} version {suite.version} has another plan")

    # One registration, one entry.
    logged = None if registration.entry is None else log.board.entries[registration.entry]
    if logged is not None and logged.leaf.entry != entry.envelope.payload_sha256:
        raise Defect(f"leaf {logged.index} is another entry of {leaf}")
    if _revoked(registration) or (logged is not None and logged.disputed):
        return unknown(f"{leaf}: a key of its submitter is revoked from there on")
    return passed(f"{leaf}, {_moment(registered.leaf.at)}")


def _revoked(registration: Registration) -> bool:
    """Whether the key that registered is revoked from this leaf on."""
    since = registration.member.revoked.get(registration.leaf.key)
    return since is not None and since <= registration.index


def _by_view(entry: Entry, registered: RegisteredPlan, leaf: str) -> Judgement:
    """What follows from what was seen of the log before, without a clone of the board."""
    checkpoint = registered.checkpoint
    view = entry.recall(checkpoint.origin)
    if view is None:
        return unknown(f"{leaf}: nothing is known of that log here; give --board DIR")
    _check_seen(view, registered, leaf)
    root = view.root_at(checkpoint.size)
    try:
        signed = open_checkpoint(registered.proof.checkpoint, root.policy(), PROOF)
    except DocumentError as error:
        # Keys may have changed since.
        if checkpoint.size <= view.checkpoint.size:
            raise
        return unknown(f"{error}, as far as this machine knows; give --board DIR")
    if registered.registration.key != key_id(entry.predicate.signer.public_key):
        return unknown(f"{leaf}: was registered with another key; give --board DIR")
    entry.logged = Logged(view.root_at(registered.proof.index), root, signed)
    return passed(f"{leaf}, {_moment(registered.leaf.at)}, as this machine knows the log")


def _check_seen(view: View, registered: RegisteredPlan, leaf: str) -> None:
    """Defect if what was seen of a log contradicts a proof."""
    index = registered.proof.index
    size = registered.checkpoint.size
    known = index >= view.checkpoint.size or (
        view.leaf_hashes[index] == leaf_hash(registered.leaf.content())
    )
    if known and size <= view.checkpoint.size:
        known = Tree(view.leaf_hashes).root(size) == registered.checkpoint.root
    if not known:
        raise Defect(f"{leaf}: is not in the log that this machine saw: it has two histories")


def check_witnessed(entry: Entry) -> Judgement:
    """(16) Threats: a plan that was registered once its seeds were known; a leaf that says an
    earlier time than it was logged at."""
    registered, logged = entry.registered, entry.logged
    if registered is None:
        return unknown(UNREGISTERED)
    if logged is None:
        return unknown("nothing is known of who may witness that log")

    # The quorum saw the leaf before the round was made.
    moment = _first_seen(entry.log, registered, logged)
    if moment is None:
        return unknown("no quorum of witnesses cosigned a checkpoint that covers the leaf")
    before = _round_time(registered, logged.root) - moment
    if before <= 0:
        return unknown(f"a quorum cosigned the leaf {-before} s after the round of its seeds")
    quorum = logged.signers.witnesses.threshold
    return passed(f"{quorum} witnesses cosigned the leaf {before} s before the round of its seeds")


def _first_seen(log: BoardLog | None, registered: RegisteredPlan, logged: Logged) -> int | None:
    """When a quorum first had seen the leaf: by the entry's own proof, or by the board."""
    moments = [logged.signed.witnessed_at(logged.signers.witnesses.threshold)]
    if log is not None:
        moments.append(log.witnessed_from(registered.proof.index))
    return min((moment for moment in moments if moment is not None), default=None)


def _round_time(registered: RegisteredPlan, root: Root) -> int:
    """When the round comes that the seeds must be drawn from."""
    number = root.beacon.round_from(registered.leaf.at + root.delay)
    return root.beacon.time_of(number)


def check_beacon(entry: Entry) -> Judgement:
    """(17) Threat: a wrong beacon: another round, another chain, a signature of one's own."""
    registered, logged = entry.registered, entry.logged
    if registered is None:
        return unknown(UNREGISTERED)
    if logged is None:
        return unknown("nothing is known of the beacon of that log")
    beacon = logged.root.beacon
    expected = beacon.round_from(registered.leaf.at + logged.root.delay)
    try:
        check_round(registered.round, expected, beacon, BEACON)
    except NoLibraryError as error:
        return unknown(str(error))
    return passed(
        f"round {expected} of chain {beacon.chain[:16]}, {_moment(beacon.time_of(expected))}"
    )


def _moment(seconds: int) -> str:
    """A time in words."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
