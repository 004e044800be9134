"""Several cohorts at a time, each in a process or container: started, retried, stopped together."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from harness.errors import OK, RESUME, Incomplete, Interrupted, NonConforming, UserError, gone
from harness.executors.carrier import POLL, Carrier, end, save
from harness.executors.outcome import error_about, error_after, out_of_time, still
from harness.executors.patience import Patience, of_a_file
from harness.executors.saved import Saved
from harness.executors.shown import Shown
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import Cohort
from harness.training import faults
from harness.training.ending import forget
from harness.training.held import PATIENCE
from harness.training.lease import Watch, carried_out_by
from harness.training.progress import Display, Progress, read_progress
from harness.words import count

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
    outlive: bool = False,
) -> list[UserError]:
    """Keep `options.jobs` slots busy until every cohort ended; returns an error for each failure.

    `begun`: what carries cohorts out already, by index. `submit` is called after what was started,
    for engines that begin several at once. `poll`: seconds between looks. `outlive`: carriers go
    on without this program.

    What is ended from outside is an infrastructure fault: it is started again, `options.retries`
    times. No cohort is begun after `options.max_wall`. SIGINT (or SIGTERM) is passed on once, so
    that cohorts save; a second one kills them. Raises Interrupted then, which says what is saved.

    An error about one cohort gives up that one. A look at a file system that does not answer is
    skipped. Any other error is raised once all have saved; at once, if they outlive this program.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    supervisor = _Supervisor(folder, cohorts, options, start, begun, outlive)
    try:
        return supervisor.run(submit, poll)
    except KeyboardInterrupt:
        raise Interrupted(supervisor.interrupt(), RESUME) from None
    except Exception:
        supervisor.save()
        raise
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
        outlive: bool,
    ) -> None:
        self.folder = folder
        self.outlive = outlive
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
        self.saved = Saved(folder, cohorts, self.earlier)
        self.watches: dict[int, Watch] = {}
        """Looks at the leases of cohorts that wait, by cohort."""
        self.patience = Patience(self.display.say)
        self.shown = Shown(self.display, self.patience)
        self.errors: list[tuple[Cohort | None, UserError]] = []
        """Each with the cohort that it is about, if it is about one."""

    def run(self, submit: Callable[[], None], poll: float) -> list[UserError]:
        """Returns the errors of cohorts that have no results, once nothing runs any more."""
        while self.waiting or self.running:
            self._begin(submit)
            time.sleep(poll)
            self._look()
            self._collect()
        return still(self.folder, self.errors)

    def _begin(self, submit: Callable[[], None]) -> None:
        """Start and submit; where the file system does not answer, at a later look."""
        try:
            self._fill_slots()
            submit()
        except (OSError, UserError) as error:
            if self.patience.lasts(self.folder, error):
                return
            if gone(error):
                raise Incomplete(f"{self.folder}: is gone since {PATIENCE:g} s.", RESUME) from None
            raise
        self.patience.answered(self.folder)

    def _look(self) -> None:
        self.shown.progress([cohort.index for cohort, _ in self.running.values()])

    def _fill_slots(self) -> None:
        """Start waiting cohorts in free slots, while there is time."""
        left = self.options.wall_left(self.begin)
        if left == 0.0 and self.waiting:
            self.errors.append((None, Incomplete(out_of_time(len(self.waiting)))))
            self.waiting.clear()
        if not self.waiting:
            return

        # While the file system is gone nothing is begun; cohorts that run wait for it themselves.
        if not self.folder.is_dir():
            if not self.running:
                self.errors.append((None, Incomplete(f"{self.folder}: is gone.")))
                self.waiting.clear()
            return

        for slot in range(self.options.jobs or 1):
            if slot not in self.running and not self._start_next(slot, left):
                return

    def _start_next(self, slot: int, left: float | None) -> bool:
        """Start the next waiting cohort that nobody has; False if there is none now."""
        for cohort in list(self.waiting):
            try:
                if not self._free(cohort):
                    continue
                self.earlier[cohort.index] = read_progress(self.folder, cohort.index)
                carrier = self.start(cohort, slot, replace(self.options, max_wall=left))
            except (OSError, UserError) as error:
                # What this machine lacks, it lacks for every cohort.
                if isinstance(error, NonConforming) and not self.running:
                    raise
                if self._is_lost(cohort, error):
                    self.waiting.remove(cohort)
                    self._give_up(cohort, error_about(cohort, error))
                continue

            self.patience.answered(cohort.index)
            self.waiting.remove(cohort)
            del self.watches[cohort.index]
            self.running[slot] = (cohort, carrier)
            return True
        return False

    def _free(self, cohort: Cohort) -> bool:
        """Whether nobody has a waiting cohort, and nothing is left of how it ended before.

        One that another process was seen to carry out is given up; one whose holder is silent
        waits until he counts as gone.
        """
        paths = Folder(self.folder).cohort(cohort.index)
        if cohort.index not in self.watches:
            self.watches[cohort.index] = Watch(paths.leases)
        watch = self.watches[cohort.index]
        standing = watch.look()
        if standing == "held":
            self.waiting.remove(cohort)
            error = carried_out_by(watch)
            self._give_up(cohort, Incomplete(f"cohort {cohort.index}: {error.reason}"))

        # The ending of an earlier attempt goes first: it must not be taken for the new one's.
        elif standing == "free" and forget(paths, watch):
            return True
        elif sentence := watch.notice():
            self.display.say(sentence)
        return False

    def _is_lost(self, cohort: Cohort, error: Exception) -> bool:
        """Whether an error of a look at a cohort gives that one up; else it is looked at again.

        Raises what is no error of a file: an engine's, which is about all cohorts.
        """
        if not of_a_file(error):
            raise error
        return not self.patience.lasts(cohort.index, error)

    def _collect(self) -> None:
        """Take what ended out of its slot; what was killed waits again, while it has retries."""
        for slot, (cohort, carrier) in list(self.running.items()):
            try:
                ending = carrier.ending()
                if ending is not None and ending.kind == "killed":
                    # A kill is a fault, also when no retry is left for it.
                    step = self.display.step(cohort.index)
                    faults.record(self.folder, cohort, step, ending.reason.removesuffix("."))
            except (OSError, UserError) as error:
                if self._is_lost(cohort, error):
                    del self.running[slot]
                    if not self.outlive:
                        end([carrier])
                    self._give_up(cohort, error_about(cohort, error))
                continue

            self.patience.answered(cohort.index)
            if ending is None:
                continue
            del self.running[slot]
            self.shown.returns(cohort.index)
            if ending.kind == "killed" and self.retries_left[cohort.index] > 0:
                self.retries_left[cohort.index] -= 1
                self.waiting.insert(0, cohort)
            elif ending.code != OK:
                retries = self.options.retries
                self._give_up(cohort, error_after(self.folder, cohort, ending, retries))

    def _give_up(self, cohort: Cohort, error: UserError) -> None:
        """Said at once if other cohorts go on, perhaps for days."""
        self.errors.append((cohort, error))
        if self.running or self.waiting:
            self.display.say(error.reason)

    def interrupt(self) -> str:
        """Ask all to save, which a second Ctrl-C cuts short; returns what is saved, in words."""
        running = [cohort.index for cohort, _ in self.running.values()]
        errors = list[Exception]()
        try:
            self.display.say(f"mst-bench: {self.saved.saving(running)}")
            errors = save(self._carriers(), self.patience, self._look)
        except KeyboardInterrupt:
            end(self._carriers())
        for error in errors:
            if not of_a_file(error):
                raise error
        return self.saved.stopped(running)

    def save(self) -> None:
        """Before an error ends this program: let carriers save that end with it."""
        if self.outlive or not self.running:
            return
        said = f"{count(len(self.running), 'cohort')} told to save first; Ctrl-C stops now"
        with suppress(KeyboardInterrupt):
            self.display.say(f"mst-bench: an error ends this command. {said}.")
            save(self._carriers(), self.patience, self._look)

    def _carriers(self) -> list[Carrier]:
        return [carrier for _, carrier in self.running.values()]

    def close(self) -> None:
        """Leave nothing that runs and ends with this program, and the terminal as it was."""
        self.display.close()
        if not self.outlive:
            end(self._carriers())
