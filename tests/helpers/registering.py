"""A submitter at work: registers the tiny suite on a board, and claims and runs its plan."""

from dataclasses import dataclass
from pathlib import Path

from harness.machine import image
from helpers.beacons import CHAIN, round_of
from helpers.boards import DAY, DELAY, BoardFolder, key_file, root_of, user
from helpers.program import call
from helpers.statements import CONTENT, release_bytes
from leaderboard.board.files import FolderFiles
from leaderboard.board.inbox import waiting
from leaderboard.board.trial import decide
from leaderboard.formats.log.leaf import SuiteLeaf, parse_leaf
from leaderboard.formats.plan import suite_digest


@dataclass
class Submitter:
    """Somebody with a clone, a key, a folder of results and a memory of their own."""

    folder: Path
    board: BoardFolder
    suite: Path
    key: Path
    release: Path

    @property
    def out(self):
        return self.folder / "out"

    def plan(self, *arguments, board=None):
        """`mst-bench plan` with their board and results."""
        board = board or self.board.folder
        with user(self.folder / "config"):
            return call("plan", "--board", board, "--out", self.out, *arguments)

    @property
    def plans(self):
        """The plan folders that were written."""
        return [path for path in self.out.iterdir() if path.name != "drafts"]

    def register(self, *arguments, key=None):
        """`plan --register` of the tiny suite, for the image that was released."""
        words = ["--suite", self.suite, "--register", "--key", key or self.key]
        return self.plan(*words, "--release", self.release, *arguments)

    def verify(self, entry, *arguments):
        with user(self.folder / "config"):
            return call("verify", entry, *arguments)

    @property
    def inbox(self):
        """What waits for a pull request."""
        return sorted((self.board.folder / "inbox").glob("*"))

    def accept(self, at=None):
        """The board logs what waits in the inbox; the position of the last leaf."""
        files = FolderFiles(self.board.folder)
        for proposal in list(waiting(files, "")):
            self.board.at = at or self.board.at + 1
            decision = proposal.decision()
            leaf = decide(self.board.log().board, decision, files, self.board.at)
            for path, content in decision.files.items():
                self.board.write(path, content)
            self.board.append_raw(leaf)
            for path in proposal.files:
                (self.board.folder / path).unlink()
        return len(self.board.leaves) - 1

    def round(self, index):
        """The number of the round that a registration waits for."""
        return CHAIN.round_from(parse_leaf(self.board.leaves[index], "leaf").at + DELAY)

    def sign_log(self, index, before=1800, witnesses=(0, 1)):
        """The log is signed, and cosigned so many seconds before the round of a registration."""
        self.board.sign(witnesses=witnesses, time=CHAIN.time_of(self.round(index)) - before)

    def beacon(self, index, later=0, **changes):
        """The file of the round that a registration waits for, or of a later one."""
        path = self.folder / "served.json"
        path.write_bytes(round_of(self.round(index) + later, **changes).content())
        return path

    def claim(self, index, *arguments):
        return self.plan("--claim", index, "--beacon", self.beacon(index), *arguments)

    def registered(self):
        """Register, accept and sign; the position."""
        finished = self.register()
        assert finished.returncode == 0, finished.stderr
        index = self.accept()
        self.sign_log(index)
        return index


def submitter_of(folder, suite, plan, keys):
    """A submitter on a board that has opened the plan of a suite. It began long ago, and gives its
    submitters time until today."""
    board = BoardFolder(folder / "board", keys)
    board.root(root_of(keys, deadline=3000 * DAY), keys.maintainers[:2])
    board.admit(keys.submitter)
    board.append(
        SuiteLeaf,
        keys.maintainers[:2],
        suite="own-tiny",
        version=1,
        state="open",
        plan=suite_digest(plan),
        successor=None,
    )
    release = folder / "release.dsse.json"
    release.write_bytes(release_bytes(keys.runner))
    return Submitter(folder, board, suite, key_file(folder, keys.submitter), release)


def inside_image(monkeypatch, digest=CONTENT):
    """As if this process ran in the image of this content."""
    content = image.Content("urn:mst-bench:content:v1", "0", "cpu", "c" * 40, "d" * 64, {})
    monkeypatch.setattr(image, "content", lambda *environment: content)
    monkeypatch.setattr(image, "content_sha256", lambda *environment: digest)
    monkeypatch.setattr(image, "sampled_changes", lambda *environment: [])
