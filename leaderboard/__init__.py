"""Entries: their formats, verification, statistics and pages.

Imports nobody of ours, no torch and no simulator: whoever verifies an entry needs few libraries.
`load` reads entries into data frames; it alone needs pandas.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leaderboard.data.frames import Loaded


def load(*entries: str | Path, trust: str | Path | None = None) -> Loaded:
    """The runs, curves and scores of entries as data frames, each entry verified first.

    `entries`: paths of entries, or of the plan folders that they lie in. `trust`: a trust file;
    with it, the scores of a re-evaluation beside an entry count. Raises
    `leaderboard.data.frames.NotVerified` for an entry that fails a check, or is not there.
    """
    from leaderboard.data import frames

    return frames.load(*entries, trust=trust)
