"""Several cohorts at a time, each in a process or container: started, retried, stopped together."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from harness.errors import OK, RESUME, Incomplete, Interrupted
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.training import faults
from harness.training.ending import Ending, forget
from harness.training.progress import Display

POLL = 0.2
"""Seconds between looks at what runs."""


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


Start = Callable[[Cohort, int, Options], Carrier]
"""(cohort, slot, options) -> what carries the cohort out.

`slot` is one of `options.jobs`: no two that run at a time have the same. `options.max_wall` is what
is left of it."""


def supervise(folder: Path, cohorts: list[Cohort], options: Options, start: Start) -> list[str]:
    """Keep `options.jobs` slots busy until every cohort ended; returns a sentence for each failure.

    What is ended from outside is an infrastructure fault: it is started again, `options.retries`
    times. No cohort is begun after `options.max_wall`. SIGINT (or SIGTERM) is passed on once, so
    that cohorts save; a second one kills them. Raises Interrupted then.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    supervisor = _Supervisor(folder, cohorts, options, start)
    try:
        return supervisor.run()
    except KeyboardInterrupt:
        supervisor.ask_and_wait()
        raise Interrupted(f"stopped; everything is saved under {folder}.", RESUME) from None
    finally:
        supervisor.close()


class _Supervisor:
    """The cohorts that wait, those that run, and what went wrong so far."""

    def __init__(self, folder: Path, cohorts: list[Cohort], options: Options, start: Start) -> None:
        self.folder = folder
        self.options = options
        self.start = start
        self.display = Display(folder, cohorts)
        self.begin = time.monotonic()
        self.waiting = list(cohorts)
        self.running: dict[int, tuple[Cohort, Carrier]] = {}
        """By slot."""
        self.retries_left = {cohort.index: options.retries for cohort in cohorts}
        self.reasons: list[str] = []

    def run(self) -> list[str]:
        """Returns the reasons of cohorts that were left incomplete, once nothing runs any more."""
        while self.waiting or self.running:
            self._fill_slots()
            time.sleep(POLL)
            self.display.refresh([cohort.index for cohort, _ in self.running.values()])
            self._collect()
        return self.reasons

    def _fill_slots(self) -> None:
        """Start waiting cohorts in free slots, while there is time."""
        left = wall_left(self.options, self.begin)
        if left == 0.0 and self.waiting:
            self.reasons.append(out_of_time(len(self.waiting)))
            self.waiting.clear()

        # The ending of an earlier attempt goes first: it must not be taken for the new one's.
        for slot in range(self.options.jobs or 1):
            while self.waiting and slot not in self.running:
                cohort = self.waiting.pop(0)
                try:
                    forget(Folder(self.folder).cohort(cohort.index))
                except Incomplete as error:  # another process has it
                    self._give_up(cohort, error.reason)
                else:
                    carrier = self.start(cohort, slot, replace(self.options, max_wall=left))
                    self.running[slot] = (cohort, carrier)

    def _collect(self) -> None:
        """Take what ended out of its slot; what was killed waits again, while it has retries."""
        for slot, (cohort, carrier) in list(self.running.items()):
            ending = carrier.ending()
            if ending is None:
                continue

            # A kill is a fault, also when no retry is left for it.
            del self.running[slot]
            killed = ending.kind == "killed"
            if killed:
                step = self.display.step(cohort.index)
                faults.record(self.folder, cohort, step, ending.reason.removesuffix("."))
            if killed and self.retries_left[cohort.index] > 0:
                self.retries_left[cohort.index] -= 1
                self.waiting.insert(0, cohort)
            elif ending.code != OK:
                self._give_up(cohort, ending.reason, internal=ending.kind == "internal")

    def _give_up(self, cohort: Cohort, reason: str, internal: bool = False) -> None:
        """`internal`: the output holds a traceback, or the only words that there are."""
        sentence = f"cohort {cohort.index}: {reason}"
        if internal:
            sentence += f" Its output is in {Folder(self.folder).cohort(cohort.index).log}."
        self.reasons.append(sentence)

    def ask_and_wait(self) -> None:
        """Ask all to save; an impatient second Ctrl-C falls through to the kill in `close`."""
        carriers = [carrier for _, carrier in self.running.values()]
        for carrier in carriers:
            carrier.ask()
        try:
            while any(carrier.ending() is None for carrier in carriers):
                time.sleep(POLL)
        except KeyboardInterrupt:
            return

    def close(self) -> None:
        """Leave nothing that runs, and the terminal as it was."""
        self.display.close()
        for _, carrier in self.running.values():
            carrier.kill()


def wall_left(options: Options, begin: float) -> float | None:
    """Seconds of wall time left since `begin` (of time.monotonic); None without a limit."""
    if options.max_wall is None:
        return None
    return max(0.0, options.max_wall - (time.monotonic() - begin))


def out_of_time(cohorts: int) -> str:
    """A sentence about so many cohorts that were not begun."""
    waiting = "1 cohort waits" if cohorts == 1 else f"{cohorts} cohorts wait"
    return f"{waiting}: --max-wall is over."
