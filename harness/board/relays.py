"""Fetches a round of the beacon from drand's public relays.

urllib suffices: a relay is asked once and not believed, as the round carries the chain's signature.
"""

from __future__ import annotations

import urllib.request
from http.client import HTTPException

from harness.errors import Incomplete
from leaderboard.formats.document import DocumentError
from leaderboard.formats.log.beacon import LARGEST, Beacon, Round, parse_round

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
