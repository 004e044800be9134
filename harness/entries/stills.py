"""Draws a strip of stills of each task and regime of an entry, for its report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import BytesIO

from envs.drawing import CannotDraw, check_library
from envs.worker import EnvironmentFault, Worker
from harness.entries.clip import Look, begun, evenly
from harness.entries.episode import play
from harness.entries.film import side_by_side
from harness.entries.verified import Verified
from harness.errors import Incomplete, NonConforming
from harness.options import Options
from harness.words import say
from leaderboard.formats.run import StatedRun
from leaderboard.pages.strips import Strip

LOOK = Look(width=160, height=120)
EPISODE = 0
"""The first of the episodes that score a run."""
QUALITY = 80
"""Of WebP."""


def strips(entry: Verified) -> tuple[Strip, ...]:
    """The first claimed episode of the run of median score, for every task and regime.

    NonConforming where nothing can draw; Incomplete if the environments break; Unreadable if a
    policy cannot act.
    """
    try:
        check_library()
        with Worker(Options.watchdog_seconds) as worker:
            return tuple(_strip(entry, run, worker) for run in medians(entry.runs))
    except EnvironmentFault as fault:
        raise Incomplete(f"{fault}. The same command begins again.") from None
    except CannotDraw as reason:
        raise NonConforming(f"{reason}.") from None


def medians(runs: Iterable[StatedRun]) -> Iterator[StatedRun]:
    """The finished run of median score of every task and regime; the lower one of two."""
    groups: dict[tuple[str, str], list[tuple[float, int, StatedRun]]] = {}
    for run in runs:
        if run.score is not None:
            groups.setdefault((run.task, run.regime), []).append((run.score, run.seed, run))
    for group in groups.values():
        group.sort(key=lambda row: row[:2])
        yield group[(len(group) - 1) // 2][2]


def _strip(entry: Verified, run: StatedRun, worker: Worker) -> Strip:
    say(f"{run.name}, episode {EPISODE}: drawing {LOOK.stills} stills")
    episode = play(entry, run, EPISODE, worker)
    try:
        with begun(episode, LOOK) as drawing:
            frames = list(drawing.frames(evenly(len(episode.actions), LOOK.stills)))
    except CannotDraw as reason:
        return Strip(run, EPISODE, None, why=str(reason))

    webp = BytesIO()
    side_by_side([frame.pixels for frame in frames]).save(webp, format="WEBP", quality=QUALITY)
    return Strip(run, EPISODE, webp.getvalue(), frames[-1].seconds, frames[-1].returned)
