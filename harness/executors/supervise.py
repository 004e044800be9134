"""Several cohorts at a time, each in a process or container: started, retried, stopped together."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from harness.errors import OK, RESUME, Incomplete, Interrupted, UserError
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.training import faults
from harness.training.checkpoint import saved_step
from harness.training.ending import Ending, error_of, forget
from harness.training.interruption import kept, saving
from harness.training.lease import Watch, carried_out_by
from harness.training.progress import Display, Progress, read_progress
from harness.training.unit import finished

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


def nothing_more() -> None:
    """What was started needs no further step."""


def supervise(
    folder: Path,
    cohorts: list[Cohort],
    options: Options,
    start: Start,
    begun: Mapping[int, Carrier] = MappingProxyType({}),
    submit: Callable[[], None] = nothing_more,
    poll: float = POLL,
) -> list[UserError]:
    """Keep `options.jobs` slots busy until every cohort ended; returns an error for each failure.

    `begun`: what carries cohorts out already, by index. `submit` is called after what was started,
    for engines that begin several at once. `poll`: seconds between looks.

    What is ended from outside is an infrastructure fault: it is started again, `options.retries`
    times. No cohort is begun after `options.max_wall`. SIGINT (or SIGTERM) is passed on once, so
    that cohorts save; a second one kills them. Raises Interrupted then, which says what is saved.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    supervisor = _Supervisor(folder, cohorts, options, start, begun)
    try:
        return supervisor.run(submit, poll)
    except KeyboardInterrupt:
        raise Interrupted(supervisor.interrupt(), RESUME) from None
    finally:
        supervisor.close()


class _Supervisor:
    """The cohorts that wait, those that run, and what went wrong so far."""

    def __init__(
        self,
        folder: Path,
        cohorts: list[Cohort],
        options: Options,
        start: Start,
        begun: Mapping[int, Carrier],
    ) -> None:
        self.folder = folder
        self.options = options
        self.start = start
        self.display = Display(folder, cohorts)
        self.begin = time.monotonic()
        self.waiting = [cohort for cohort in cohorts if cohort.index not in begun]
        running = [(cohort, begun[cohort.index]) for cohort in cohorts if cohort.index in begun]
        self.running: dict[int, tuple[Cohort, Carrier]] = dict(enumerate(running))
        """By slot."""
        self.retries_left = {cohort.index: options.retries for cohort in cohorts}
        self.earlier: dict[int, Progress | None] = dict.fromkeys(begun)
        """What earlier attempts at the running cohorts said last, by cohort."""
        self.watches: dict[int, Watch] = {}
        """Looks at the leases of cohorts that wait, by cohort."""
        self.errors: list[tuple[Cohort | None, UserError]] = []
        """Each with the cohort that it is about, if it is about one."""

    def run(self, submit: Callable[[], None], poll: float) -> list[UserError]:
        """Returns the errors of cohorts that have no results, once nothing runs any more."""
        while self.waiting or self.running:
            self._fill_slots()
            submit()
            time.sleep(poll)
            self._refresh()
            self._collect()
        return still(self.folder, self.errors)

    def _refresh(self) -> None:
        self.display.refresh([cohort.index for cohort, _ in self.running.values()])

    def _fill_slots(self) -> None:
        """Start waiting cohorts in free slots, while there is time."""
        left = wall_left(self.options, self.begin)
        if left == 0.0 and self.waiting:
            self.errors.append((None, Incomplete(out_of_time(len(self.waiting)))))
            self.waiting.clear()

        # While the file system is gone nothing is begun; cohorts that run wait for it themselves.
        if not self.folder.is_dir():
            if self.waiting and not self.running:
                self.errors.append((None, Incomplete(f"{self.folder}: is gone.")))
                self.waiting.clear()
            return

        for slot in range(self.options.jobs or 1):
            if slot in self.running:
                continue
            cohort = self._next_free()
            if cohort is None:
                return
            self.earlier[cohort.index] = read_progress(self.folder, cohort.index)
            carrier = self.start(cohort, slot, replace(self.options, max_wall=left))
            self.running[slot] = (cohort, carrier)

    def _next_free(self) -> Cohort | None:
        """The next waiting cohort that nobody has, with nothing left of how it ended before.

        Those that another process was seen to carry out are given up; those whose holder is silent
        wait until he counts as gone.
        """
        for cohort in list(self.waiting):
            paths = Folder(self.folder).cohort(cohort.index)
            watch = self.watches.setdefault(cohort.index, Watch(paths.leases))
            standing = watch.look()
            if standing == "held":
                self.waiting.remove(cohort)
                error = carried_out_by(watch)
                self._give_up(cohort, Incomplete(f"cohort {cohort.index}: {error.reason}"))

            # The ending of an earlier attempt goes first: it must not be taken for the new one's.
            elif standing == "free" and forget(paths, watch):
                self.waiting.remove(cohort)
                del self.watches[cohort.index]
                return cohort
            elif sentence := watch.notice():
                self.display.say(sentence)
        return None

    def _collect(self) -> None:
        """Take what ended out of its slot; what was killed waits again, while it has retries."""
        for slot, (cohort, carrier) in list(self.running.items()):
            ending = carrier.ending()
            if ending is None:
                continue

            # A kill is a fault, also when no retry is left for it.
            del self.running[slot]
            self.display.show_returns(cohort.index)
            killed = ending.kind == "killed"
            if killed:
                step = self.display.step(cohort.index)
                faults.record(self.folder, cohort, step, ending.reason.removesuffix("."))
            if killed and self.retries_left[cohort.index] > 0:
                self.retries_left[cohort.index] -= 1
                self.waiting.insert(0, cohort)
            elif ending.code != OK:
                self._give_up(cohort, error_of(ending, self._sentence(cohort, ending)))

    def _sentence(self, cohort: Cohort, ending: Ending) -> str:
        """What a cohort's ending says. After a bug, its output holds the traceback."""
        sentence = f"cohort {cohort.index}: {ending.reason}"
        if ending.kind == "killed":
            gave_up = faults.gave_up(self.options.retries)
            sentence = f"{sentence.removesuffix('.')}; {gave_up}. What was saved is whole."
        if ending.kind == "internal":
            sentence += f" Its output is in {Folder(self.folder).cohort(cohort.index).log}."
        return sentence

    def _give_up(self, cohort: Cohort, error: UserError) -> None:
        """Said at once if other cohorts go on, perhaps for days."""
        self.errors.append((cohort, error))
        if self.running or self.waiting:
            self.display.say(error.reason)

    def interrupt(self) -> str:
        """Ask all to save, which a second Ctrl-C cuts short; returns what is saved, in words."""
        cohorts = {cohort.index: carrier for cohort, carrier in self.running.values()}
        try:
            self.display.say(f"mst-bench: {saving([self._unsaved(index) for index in cohorts])}")
            for carrier in cohorts.values():
                carrier.ask()
            while any(carrier.ending() is None for carrier in cohorts.values()):
                time.sleep(POLL)
                self._refresh()
        except KeyboardInterrupt:
            for carrier in cohorts.values():
                carrier.kill()

        # Read from the disk: a checkpoint may have become whole in the last moment.
        lost = [self._kept(index) for index in cohorts if self._unsaved(index)]
        if lost:
            return f"stopped; not everything is saved. {' '.join(lost)}"
        return f"stopped; everything is saved under {self.folder}."

    def _unsaved(self, index: int) -> int:
        """Agent steps of this attempt at a cohort that no checkpoint holds; 0 once it finished."""
        progress = read_progress(self.folder, index)
        if progress is None or progress == self.earlier[index] or self._finished(index):
            return 0
        return max(0, progress.step - self._saved(index))

    def _kept(self, index: int) -> str:
        progress = read_progress(self.folder, index)
        total = progress.total if progress else 0
        return f"Cohort {index}: {kept(self._saved(index), self._unsaved(index), total)}."

    def _saved(self, index: int) -> int:
        return saved_step(Folder(self.folder).cohort(index).checkpoint)

    def _finished(self, index: int) -> bool:
        return finished(self.folder, self.display.cohorts[index])

    def close(self) -> None:
        """Leave nothing that runs, and the terminal as it was."""
        self.display.close()
        for _, carrier in self.running.values():
            carrier.kill()


def still(folder: Path, errors: Sequence[tuple[Cohort | None, UserError]]) -> list[UserError]:
    """The errors that are not about a cohort which another engine finished meanwhile."""
    return [error for cohort, error in errors if cohort is None or not finished(folder, cohort)]


def wall_left(options: Options, begin: float) -> float | None:
    """Seconds of wall time left since `begin` (of time.monotonic); None without a limit."""
    if options.max_wall is None:
        return None
    return max(0.0, options.max_wall - (time.monotonic() - begin))


def out_of_time(cohorts: int) -> str:
    """A sentence about so many cohorts that were not begun."""
    waiting = "1 cohort waits" if cohorts == 1 else f"{cohorts} cohorts wait"
    return f"{waiting}: --max-wall is over."
