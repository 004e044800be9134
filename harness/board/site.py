"""`board build`: makes the site of a board from a clone of it."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from harness.board.audit import Audit, audit_log
from harness.board.commits import CommitFiles
from harness.board.git import Repository
from harness.board.log import refusing
from harness.errors import UserError
from leaderboard.board.files import Files, FolderFiles
from leaderboard.board.known import view_name
from leaderboard.board.log import read_log
from leaderboard.board.repository import RepositoryDocuments
from leaderboard.formats import person, strict_json
from leaderboard.formats.document import DocumentError
from leaderboard.formats.keys import KeyFileError
from leaderboard.formats.release import read_release
from leaderboard.formats.signed import SignedError
from leaderboard.pages.board.data import BOARD_SCHEMA
from leaderboard.pages.board.entries import EntryReader
from leaderboard.pages.board.facts import gather
from leaderboard.pages.board.site import Site
from leaderboard.verification.verify import verify

PEOPLE = "people"
"""The branch and the folder that names lie on."""
NAMES_FROM = (f"refs/remotes/origin/{PEOPLE}", f"refs/heads/{PEOPLE}")


@dataclass(frozen=True)
class Built:
    """A site that was written."""

    site: str
    pages: int
    bytes: int
    largest: str
    """Path of the largest page."""
    largest_bytes: int
    audit: Audit


def build_site(
    board: Path,
    out: Path,
    *,
    url: str | None = None,
    people: Path | None = None,
    releases: Sequence[Path] = (),
    trust: Path | None = None,
) -> Built:
    """Write the site of a board into a folder, as a whole or not at all.

    `url`: where it will be; by default the log's origin. `people`: a folder of names, instead of
    the branch `people`. `releases`: statements of released images, by keys of the file `trust`.
    """
    check_out(board, out)
    images = released(releases, trust)
    audit = audit_log(board)
    files = FolderFiles(board)
    with refusing(board):
        log = read_log(files)
        kept = cache() / view_name(audit.origin).removesuffix(".json")
        reader = EntryReader(board, partial(verify, log=log), kept)
        names = _names(board, people)
        facts = gather(log, RepositoryDocuments(files), names, images, reader)
    reader.forget_others()
    pages = dict(Site(facts, address(url or f"https://{audit.origin}/")).files())
    write_site(out, pages)
    largest = max((path for path in pages if path.endswith(".html")), key=lambda p: len(pages[p]))
    size = sum(map(len, pages.values()))
    return Built(str(out), len(pages), size, largest, len(pages[largest]), audit)


def cache() -> Path:
    """The user's folder for what this program can make again."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mst-bench" / "site"


def address(url: str) -> str:
    """An address with its final slash; UserError if it is none."""
    parts = urlsplit(url)
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \"'<>\\`")
    if parts.scheme not in ("http", "https") or not parts.netloc or not plain:
        raise UserError(f"{url}: is no address; expected https://example.org/board/.")
    if parts.query or parts.fragment:
        raise UserError(f"{url}: expected an address without ? and #.")
    return url.rstrip("/") + "/"


def released(statements: Iterable[Path], trust: Path | None) -> frozenset[str]:
    """Contents of released images, by statements that keys of the trust file signed."""
    if statements and trust is None:
        raise UserError("--release needs --trust: anybody can sign a release.")
    try:
        return frozenset(
            read_release(path, trust).statement.predicate.content_sha256 for path in statements
        )
    except (SignedError, KeyFileError) as error:
        raise UserError(str(error)) from None


# -- names --


def _names(board: Path, people: Path | None) -> dict[str, bytes]:
    """First 16 digits of a key's id -> content of the file with its name.

    Names come from a folder, or from the branch `people`; without both nobody has one.
    """
    if people is not None:
        if not people.is_dir():
            raise UserError(f"{people}: is not a folder.")
        return _read_names(FolderFiles(people), "")
    for ref in NAMES_FROM:
        try:
            commit = Repository(board).resolve(ref)
        except UserError:  # no clone, or without that branch
            continue
        with CommitFiles(board, commit) as files:
            return _read_names(files, PEOPLE)
    return {}


def _read_names(files: Files, folder: str) -> dict[str, bytes]:
    """The files of a folder that are named after keys. One that cannot be read is no name."""
    contents: dict[str, bytes] = {}
    for name in files.names(folder):
        if name.endswith(".json"):
            try:
                path = f"{folder}/{name}" if folder else name
                contents[name.removesuffix(".json")] = files.read(path, person.LARGEST)
            except DocumentError:
                continue
    return contents


# -- the folder --


def check_out(board: Path, out: Path) -> None:
    """UserError unless a site may be written there: nothing but a site is ever replaced."""
    if out.resolve() == board.resolve() or board.resolve().is_relative_to(out.resolve()):
        raise UserError(f"{out}: holds the board itself; name another folder.")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        document = strict_json.parse((out / "board.json").read_bytes())
        ours = isinstance(document, dict) and document.get("schema") == BOARD_SCHEMA
    except (OSError, ValueError):
        ours = False
    if not ours:
        raise UserError(f"{out}: is there, and no site of a board; name another folder.")


def write_site(out: Path, pages: Mapping[str, bytes]) -> None:
    """Write all files beside the folder, then put them in its place."""
    out = out.resolve()
    token = secrets.token_hex(8)
    part = out.with_name(f".{out.name}.{token}")
    former = out.with_name(f".{out.name}.{token}.former")
    try:
        for path, content in pages.items():
            (part / path).parent.mkdir(parents=True, exist_ok=True)
            (part / path).write_bytes(content)
        if out.exists():
            out.rename(former)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(former, ignore_errors=True)
