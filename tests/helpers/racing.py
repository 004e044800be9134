"""Engines that race for one cohort, and are killed or stopped at any moment until it is done."""

import os
import signal
import time
from contextlib import suppress


class Engine:
    """A process that carries the cohort out, and is started again until that is done."""

    def __init__(self, begin):
        """`begin()` starts the process (helpers/forked.py: Forked)."""
        self.begin = begin
        self.codes = []
        self.start()

    def start(self):
        self.process = self.begin()
        self.stopped = False

    def keep_on(self):
        """Start it again if it ended without results, killed or because another one had them."""
        if self.stopped or self.done() or self.process.running():
            return
        code, _, errors = self.process.ended()
        assert code in (0, 3, -signal.SIGKILL), errors
        self.codes.append(code)
        if code != 0:
            self.start()

    def done(self):
        return bool(self.codes) and self.codes[-1] == 0

    def kill(self):
        self.process.kill()
        self.stopped = False

    def stop(self):
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGSTOP)
        self.stopped = True

    def wake(self):
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGCONT)
        self.stopped = False


def race(begins, moments, longest, patience=60.0):
    """An engine for each of `begins` on one cohort, disturbed and then left alone; exit codes of
    each.

    `longest`: seconds between two events, about as long as the cohort takes alone.
    """
    racing = [Engine(begin) for begin in begins]
    for _ in range(moments.randint(1, 6)):
        time.sleep(moments.uniform(0.0, longest))
        disturb(moments.choice(racing), moments)
        for engine in racing:
            engine.keep_on()

    # Who is stopped now wakes up while another one works, or when everything is over.
    deadline = time.monotonic() + patience
    while not all(engine.done() for engine in racing):
        assert time.monotonic() < deadline, "nobody carries it out"
        awake = [engine for engine in racing if not engine.stopped]
        if not awake or all(engine.done() for engine in awake) or moments.random() < 0.02:
            for engine in racing:
                engine.wake()
        for engine in racing:
            engine.keep_on()
        time.sleep(0.005)
    return [engine.codes for engine in racing]


def disturb(engine, moments):
    """Kills it or stops it, or wakes it."""
    if engine.done():
        return
    if engine.stopped:
        engine.wake()
    elif moments.random() < 0.5:
        engine.kill()
    else:
        engine.stop()
