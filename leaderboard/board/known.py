"""Views of logs that this release was shipped with: known/<name of the log's view>.json.

Every installation compares a log with them, so one history is known wherever the program is. There
is no public board yet, so no view is shipped yet.
"""

from __future__ import annotations

import hashlib
from importlib import resources

from leaderboard.board.views import View, parse_view
from leaderboard.formats.document import DocumentError


def view_name(origin: str) -> str:
    """The file that a view of a log is kept in."""
    return f"{hashlib.sha256(origin.encode()).hexdigest()[:32]}.json"


def known_view(origin: str) -> View | None:
    """What this release knows of a log; None if nothing."""
    path = resources.files("leaderboard.board").joinpath("known", view_name(origin))
    if not path.is_file():
        return None
    return view_for(origin, path.read_bytes(), f"the shipped {view_name(origin)}")


def view_for(origin: str, content: bytes, location: str) -> View:
    """The view in the bytes of a file, which must be one of this log; DocumentError otherwise."""
    view = parse_view(content, location)
    if view.checkpoint.origin != origin:
        raise DocumentError(f"{location}: is of the log {view.checkpoint.origin}")
    return view
