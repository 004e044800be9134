"""Several cohorts at a time, each somewhere of its own: kept going, tried again, stopped together."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.errors import INTERNAL, OK, Interrupted
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.training import faults
from harness.training.progress import Display

POLL = 0.2
"""Seconds between looks at what runs."""


@dataclass(frozen=True)
class Ending:
    """How a cohort's process or container ended."""

    code: int
    """Exit code of `run-cohort`."""
    reason: str
    """In words, for any code but 0."""
    killed: bool = False
    """From outside: an infrastructure fault, after which it is worth another try."""


class Carrier(Protocol):
    """A process or container that carries one cohort out."""

    def ending(self) -> Ending | None:
        """How it ended, once it has; nothing of it is left then."""
        ...

    def ask(self) -> None:
        """Ask it to save and stop."""
        ...

    def kill(self) -> None:
        """End it now, if it still runs, and leave nothing of it."""
        ...


Start = Callable[[Cohort, int, float | None], Carrier]
"""(cohort, which of the places that are busy at a time, seconds of wall time left) -> what carries it out."""


def supervise(folder: Path, cohorts: list[Cohort], options: Options, start: Start) -> list[str]:
    """Keep `options.jobs` places busy until every cohort ended; returns what went wrong, in words. None is begun after
    `options.max_wall`.

    What is ended from outside is an infrastructure fault: it is started again, `options.retries` times. SIGINT (or SIGTERM) is
    passed on once, so that cohorts keep their records; a second one kills them. Raises Interrupted then.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    waiting, running, wrong = list(cohorts), dict[int, tuple[Cohort, Carrier]](), list[str]()
    retries = {cohort.index: options.retries for cohort in cohorts}
    display, begin = Display(folder, cohorts), time.monotonic()
    try:
        while waiting or running:
            left = wall_left(options, begin)
            if left == 0.0 and waiting:
                wrong.append(out_of_time(len(waiting)))
                waiting.clear()
            for place in sorted(set(range(options.jobs or 1)) - set(running))[: len(waiting)]:
                cohort = waiting.pop(0)
                running[place] = (cohort, start(cohort, place, left))
            time.sleep(POLL)
            display.refresh([cohort.index for cohort, _ in running.values()])
            for place, (cohort, carrier) in list(running.items()):
                ending = carrier.ending()
                if ending is None:
                    continue
                del running[place]
                if ending.killed:
                    faults.note(folder, cohort, display.step(cohort.index), ending.reason)
                if ending.killed and retries[cohort.index] > 0:
                    retries[cohort.index] -= 1
                    waiting.insert(0, cohort)
                elif ending.code != OK:
                    wrong.append(f"cohort {cohort.index}: {ending.reason}")
    except KeyboardInterrupt:
        _stop([carrier for _, carrier in running.values()])
        raise Interrupted(
            f"stopped; everything is saved under {folder}. The same command goes on."
        ) from None
    finally:
        display.close()
        for _, carrier in running.values():
            carrier.kill()
    return wrong


def wall_left(options: Options, begin: float) -> float | None:
    """Seconds of wall time that are left since `begin` (of time.monotonic), or None without a limit."""
    return (
        None
        if options.max_wall is None
        else max(0.0, options.max_wall - (time.monotonic() - begin))
    )


def out_of_time(cohorts: int) -> str:
    """In words, so many cohorts that were not begun."""
    return f"{cohorts} {'cohort waits' if cohorts == 1 else 'cohorts wait'}: --max-wall is over"


def _stop(carriers: list[Carrier]) -> None:
    """Ask once and wait; an impatient second Ctrl-C falls through to the kill in `supervise`."""
    for carrier in carriers:
        carrier.ask()
    try:
        while any(carrier.ending() is None for carrier in carriers):
            time.sleep(POLL)
    except KeyboardInterrupt:
        return


def log_of(folder: Path, cohort: Cohort) -> Path:
    """Where the words of a cohort's processes or containers go, appended."""
    path = Folder(folder).cohort(cohort.index).log
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def in_short(sentence: str) -> str:
    """Why a cohort was left, without what whoever says it adds at the end."""
    return sentence.removesuffix(" The same command goes on.").removesuffix(".")


def last_words(log: Path, code: int) -> str:
    """The sentence that a cohort ended with, or its exit code and where its last words are."""
    said = log.read_text(errors="replace").splitlines()[-1:]
    if code > INTERNAL and said and said[0].startswith("mst-bench: "):
        return in_short(said[0].removeprefix("mst-bench: "))
    return f"its process ended with exit code {code}; its last words are in {log}"
