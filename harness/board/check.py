"""`board check`: what the continuous integration of a board runs on a pull request.

It reads two commits and writes nothing. It is advice: a pull request may change the workflow that
runs it, so `accept` checks everything again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from harness.board.append import Main
from harness.board.git import Repository
from harness.board.handed_in import HandedIn, between
from harness.board.judged import judge_folder
from harness.board.sign import opened_cosignature
from leaderboard.board.files import Overlaid
from leaderboard.board.inbox import NAME, ROOT, Proposal, read_proposal, root_proposal
from leaderboard.board.log import BoardLog
from leaderboard.board.repository import COSIGNATURE
from leaderboard.board.trial import decide
from leaderboard.formats.document import DocumentError, printable
from leaderboard.verification.checks import Check


def check_pull_request(repository: Repository, base: str, head: str = "HEAD") -> Iterator[Check]:
    """The checks on what a commit adds to the main branch, until one fails.

    `base`: the main branch, as git knows it.
    """
    head_commit = repository.resolve(head)
    base_commit = repository.resolve(base)
    fork_point = repository.fork_point(base_commit, head_commit)
    with repository.files(base_commit) as files:
        name = "log"
        try:
            # The main branch itself first: everything else is asked of it.
            main = Main.read(files)
            yield _passed(name, f"{main.board.size} leaves on {base}, all allowed")

            # Names and sizes, before anything is read.
            name = "files"
            handed_in = between(repository, fork_point, head_commit)
            size = sum(map(len, handed_in.files.values()))
            yield _passed(name, f"{len(handed_in.files)} new ones of {size} bytes, nothing else")
            for path in handed_in.files:
                if path.rpartition("/")[2] in files.names(path.rpartition("/")[0]):
                    raise DocumentError(f"{path}: is on {base} already")

            name = "content"
            if handed_in.folder is None:
                yield from _check_statements(main, handed_in)
            else:
                yield from _check_folder(main, handed_in)
        except DocumentError as error:
            yield Check(name, "failed", printable(str(error)))


def _passed(name: str, detail: str) -> Check:
    return Check(name, "passed", printable(detail))


def _check_statements(main: Main, handed_in: HandedIn) -> Iterator[Check]:
    """Each file of an inbox; DocumentError names the first that is wrong. A statement that several
    files sign is asked of once, as it is logged once."""
    files = Overlaid(main.files, handed_in.files)
    seen = set[str]()
    for path in handed_in.files:
        name = path.rpartition("/")[2]
        if matched := COSIGNATURE.fullmatch(name):
            yield _check_cosignature(main.log, int(matched[1]), path, handed_in.files[path])
        elif NAME.fullmatch(name):
            proposal = read_proposal(files, path)
            if proposal.sha256 not in seen:
                yield _check_statement(main, proposal.joined(files), path)
            seen.add(proposal.sha256)
        elif ROOT.fullmatch(name):
            version = root_proposal(handed_in.files[path], path).spoken.leaf["version"]
            yield _passed("statement", f"{path}: version {version} of the trust root")


def _check_statement(main: Main, proposal: Proposal, path: str) -> Check:
    """What would be logged if maintainers signed it too where they must."""
    try:
        decide(main.board, proposal.decision(), main.files, int(time.time()), presumed=True)
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from None
    signers = ", ".join(name.partition(".")[0] for name in proposal.envelopes)
    waits = "once enough have signed" if proposal.countersigned else "as it is"
    return _passed("statement", f"{path}: {proposal.kind} by {signers}, allowed {waits}")


def _check_cosignature(log: BoardLog | None, size: int, path: str, content: bytes) -> Check:
    if log is None:
        raise DocumentError(f"{path}: there is no log yet")
    opened = opened_cosignature(log, size, path, content)
    if not opened.cosigned:
        raise DocumentError(f"{path}: no witness of the trust root cosigned it")
    witnesses = ", ".join(key.name for key in opened.cosigned)
    return _passed("cosignature", f"{path}: {size} leaves by {witnesses}")


def _check_folder(main: Main, handed_in: HandedIn) -> Iterator[Check]:
    """An entry or a re-evaluation, as `accept` will check it."""
    judged = judge_folder(main, handed_in)
    yield from judged.checks
    if judged.proposal is not None:
        yield _check_statement(main, judged.proposal, str(handed_in.folder))
