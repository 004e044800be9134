"""The round of the beacon that a leaf waits for: from a file, or from drand's public relays.

urllib suffices: a relay is asked once and not believed, as the round carries the chain's signature.
"""

from __future__ import annotations

import time
import urllib.request
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

from harness.board.log import Invalid
from harness.errors import Incomplete, UserError
from harness.words import duration
from leaderboard.board.log import BoardLog
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.beacon import (
    LARGEST,
    Beacon,
    NoLibraryError,
    Round,
    check_round,
    parse_round,
)
from leaderboard.formats.log.leaf import Leaf
from leaderboard.formats.reading import read_limited

RELAYS = (
    "https://api.drand.sh",
    "https://drand.cloudflare.com",
    "https://api2.drand.sh",
    "https://api3.drand.sh",
)
"""Asked in this order."""
TIMEOUT = 10.0
"""Seconds that a relay may take."""


def fetch_round(beacon: Beacon, number: int) -> Round:
    """A round as the first relay serves it that answers; nothing of it is verified. Incomplete if
    none does."""
    reason = ""
    for relay in RELAYS:
        url = f"{relay}/{beacon.chain}/public/{number}"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
                return parse_round(answer.read(LARGEST + 1)[:LARGEST], url)
        except (OSError, HTTPException, DocumentError) as error:
            reason = str(error)
    raise Incomplete(
        f"no relay served round {number} of the beacon (the last one: {reason}).",
        f"Give the same command later, or --beacon FILE with {url}.",
    )


def awaited_round(log: BoardLog, index: int, leaf: Leaf, path: Path | None) -> Round:
    """The round that follows a leaf of the log, from a file or a relay, and verified.

    Raises Incomplete while it lies ahead or no relay serves it, Invalid for another one, UserError
    where nobody can tell: a wrong round would be noticed much later.
    """
    root = log.board.root_at(index)
    number = root.beacon.round_from(leaf.at + root.delay)
    moment = root.beacon.time_of(number)
    ahead = moment - time.time()
    if ahead > 0:
        raise Incomplete(
            f"leaf {index}: what follows from it is drawn from round {number} of the beacon, which"
            f" comes at {datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC, in"
            f" {duration(ahead)}.",
            "Come back then.",
        )
    served = fetch_round(root.beacon, number) if path is None else _read(path)
    try:
        check_round(served, number, root.beacon, str(path or "the relay's answer"))
    except NoLibraryError as error:
        raise UserError(f"the round cannot be checked: {error}.") from None
    except DocumentError as error:
        raise Invalid(f"{error}.") from None
    return served


def _read(path: Path) -> Round:
    """The round in a file."""
    try:
        return parse_round(read_limited(path, LARGEST, str(path)), str(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except DocumentError as error:
        raise Invalid(f"{error}.") from None
