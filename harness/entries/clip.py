"""Shows a claimed episode of an entry: played again in EnvPool, drawn in dm_control."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from envs.drawing import CannotDraw, Drawing, Frame, Scene, check_library
from envs.worker import EnvironmentFault, Worker
from harness.entries.episode import Episode, play
from harness.entries.film import WRITERS, captioned, check_ending
from harness.entries.platform import differences
from harness.entries.policy import finished_run
from harness.entries.verified import Verified
from harness.errors import Incomplete, NonConforming
from harness.files import check_can_write
from harness.options import Options
from harness.words import count, say

ELSEWHERE = 1e-4
"""A difference of first observations that is no rounding: the episode begins elsewhere."""


@dataclass(frozen=True)
class Look:
    """How an episode is shown."""

    width: int = 480
    height: int = 360
    camera: int = 0
    fps: int = 30
    """Most frames a second of a film, which runs at the speed of the simulation."""
    stills: int = 6
    """Of a strip."""


@dataclass(frozen=True)
class Clip:
    """What was written, and the returns of the episode that it shows."""

    path: Path
    run: str
    episode: int
    frames: int
    seconds: float
    """Of simulated time."""
    signed: float
    envpool: float
    """As it came out here in EnvPool."""
    dm_control: float
    """As it came out where it was drawn."""
    differs: tuple[str, ...]
    """How this machine differs from the one that the entry names: why other bits may come out."""


def clip(entry: Verified, run: str, number: int, to: Path, look: Look) -> Clip:
    """Write episode `number` of a run to a file, whose ending says how.

    UserError for a run, an episode or a file that is none; NonConforming where nothing can draw;
    Incomplete if the environments break.
    """
    check_ending(to)
    check_can_write(to)
    stated = finished_run(entry, run)
    try:
        check_library()
        with Worker(Options.watchdog_seconds) as worker:
            episode = play(entry, stated, number, worker)
        last = _write(episode, to, look)
    except EnvironmentFault as fault:
        raise Incomplete(f"{fault}. The same command begins again.") from None
    except CannotDraw as reason:
        raise NonConforming(f"{stated.task}: {reason}.") from None

    predicate = entry.documents.statement.predicate
    return Clip(
        path=to,
        run=run,
        episode=number,
        frames=last[0],
        seconds=last[1].seconds,
        signed=episode.signed,
        envpool=episode.returned,
        dm_control=last[1].returned,
        differs=tuple(differences(predicate, predicate.fingerprints)),
    )


def _write(episode: Episode, to: Path, look: Look) -> tuple[int, Frame]:
    """Draws an episode into a file; returns the number of frames, and the last of them."""
    caption = f"{episode.run.name}, episode {episode.number}"
    frames = list[Frame]()

    def captioned_frames(drawing: Drawing, steps: Sequence[int]) -> Iterator[np.ndarray]:
        for frame in drawing.frames(steps):
            yield captioned(frame, caption, episode.signed)
            frames.append(frame)
            del frames[:-1]

    # Whoever looks sees the old file or the whole new one.
    part = to.with_name(f".{to.name}.{secrets.token_hex(8)}")
    try:
        with begun(episode, look) as drawing:
            steps = _steps(to, len(episode.actions), drawing.seconds, look)
            rate = Fraction(1.0 / (drawing.seconds * max(1, steps[1] - steps[0])))
            pictures = captioned_frames(drawing, steps)
            say(f"{caption}: drawing {count(len(steps), 'frame')}")
            WRITERS[to.suffix](part, pictures, rate.limit_denominator(1000))
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return len(steps), frames[-1]


@contextmanager
def begun(episode: Episode, look: Look) -> Iterator[Drawing]:
    """An episode about to be drawn. CannotDraw where that is not the episode that was played."""
    scene = Scene(
        task=episode.task,
        seed=episode.seed,
        resets=episode.resets,
        actions=episode.actions,
        action_repeat=episode.action_repeat,
        width=look.width,
        height=look.height,
        camera=look.camera,
    )
    with Drawing(scene) as drawing:
        _check_start(episode, drawing)
        yield drawing


def evenly(length: int, stills: int) -> list[int]:
    """After which agent steps of an episode its stills are drawn: the first and the last too."""
    return [round(length * still / (stills - 1)) for still in range(stills)]


def _steps(to: Path, length: int, seconds: float, look: Look) -> list[int]:
    """After which agent steps frames are drawn: evenly, and at the end of the episode."""
    if to.suffix == ".png":
        return evenly(length, look.stills)
    every = math.ceil(1.0 / (look.fps * seconds))
    return [*range(0, length, every), length]


def _check_start(episode: Episode, drawing: Drawing) -> None:
    """CannotDraw where dm_control begins an episode elsewhere than EnvPool: the picture would lie.

    dm_control rounds its observations otherwise, so this compares as floats.
    """
    apart = np.abs(drawing.first_observation - episode.first_observation).max()
    if apart > ELSEWHERE:
        why = f" ({episode.task.differs})" if episode.task.differs else ""
        raise CannotDraw(f"dm_control begins this episode elsewhere than EnvPool does{why}")


def in_words(clip: Clip) -> Iterator[str]:
    """What was written, and whether the signed return came out again."""
    yield f"clip: {clip.path}, {clip.frames} frames of {clip.seconds:.1f} simulated seconds"
    yield f"{clip.run}, episode {clip.episode}: signed return {clip.signed!r}"
    for engine, value in (("EnvPool", clip.envpool), ("dm_control", clip.dm_control)):
        if value == clip.signed:
            yield f"played again in {engine}: the same, to the bit"
        else:
            yield f"played again in {engine}: {value!r}, which is {value - clip.signed:+.3g} off"
    if clip.envpool != clip.signed:
        yield f"why: {'; '.join(clip.differs) or 'nothing that the entry states explains it'}"
