"""Pools in a process of their own, watched: what goes wrong in native code ends that process and never the caller's.

EnvPool and MuJoCo can end their process by a signal, an abort or a plain `exit(1)`, or never answer again. Here each of
these becomes an `EnvironmentFault` that says which. Run as a module, this file is the worker.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import IO, Any, Self

from numpy.typing import ArrayLike

from envs.pool import Cursor, Pool
from envs.spec import Flags, Floats, Step, Task


class EnvironmentFault(RuntimeError):
    """What runs the environments broke; the text says how. Nothing of it is an agent's doing."""


class Worker:
    """A process that holds pools. A context: its end ends the process, as does the end of the caller."""

    def __init__(self, patience: float) -> None:
        """`patience`: seconds of silence after which the worker is killed; it is as silent while it builds or replays."""
        self.patience = patience
        ours, theirs = socket.socketpair()
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - what the worker writes to stderr, as long as it lives
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "envs.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._words,
                stderr=self._words,
                pass_fds=[theirs.fileno()],
                cwd=tempfile.gettempdir(),  # MuJoCo writes a log of its warnings where it stands
                start_new_session=True,  # a terminal's Ctrl-C is the caller's to handle
            )
        self._connection = Connection(ours.detach())
        self._pools = self._asked = self._answered = 0
        self._answers: dict[int, tuple[bool, Any]] = {}
        self.close = weakref.finalize(self, _end, self._process, self._connection, self._words)
        """Ends the process; what it is doing is not needed any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def pool(
        self,
        task: Task,
        seeds: Sequence[int],
        action_repeat: int = 2,
        threads: int | None = None,
        auto_reset: bool = True,
    ) -> WatchedPool:
        """A new `Pool` of these arguments in this process."""
        self._pools += 1
        pool = WatchedPool(self, self._pools, len(seeds))
        self.answer(
            self.ask(self._pools, "make", task, tuple(seeds), action_repeat, threads, auto_reset)
        )
        return pool

    def ask(self, *message: Any) -> int:
        """Send (pool number, method, arguments...); returns the ticket for its answer."""
        with contextlib.suppress(OSError):  # a broken pipe is told by the answer that does not come
            self._connection.send(message)
        self._asked += 1
        return self._asked

    def answer(self, ticket: int) -> Any:
        """The result of a message; EnvironmentFault if there will be none, or the ValueError that it raised.

        Answers come in the order of the messages; those to earlier messages wait here for whoever asked.
        """
        while ticket not in self._answers:
            self._answered += 1
            self._answers[self._answered] = self._next_answer()
        fine, answer = self._answers.pop(ticket)
        if not fine:
            raise ValueError(answer)
        return answer

    def _next_answer(self) -> tuple[bool, Any]:
        try:
            if not self._connection.poll(self.patience):
                self._process.kill()
                raise EnvironmentFault(
                    f"the environments gave no answer for {self.patience:g} s{self._last_words()}"
                )
            fine, answer = self._connection.recv()
            return fine, answer
        except (EOFError, OSError):
            raise EnvironmentFault(
                f"the environments' process {self._how_it_ended()}{self._last_words()}"
            ) from None

    def _how_it_ended(self) -> str:
        try:
            code = self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            return "let its connection go"
        return (
            f"was ended by {signal.Signals(-code).name}"
            if code < 0
            else f"ended with exit code {code}"
        )

    def _last_words(self) -> str:
        self._words.seek(0)
        lines = self._words.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f" ({last[-200:]})" if last else ""


class WatchedPool:
    """`envs.pool.Pool` in a worker: the same methods, the same numbers; any of them may raise EnvironmentFault."""

    def __init__(self, worker: Worker, number: int, count: int) -> None:
        """Made by `Worker.pool`."""
        self._worker, self._number, self.count = worker, number, count
        self._ticket = 0

    def reset(self, environments: ArrayLike | None = None) -> Floats:
        """As `Pool.reset`."""
        found: Floats = self._call("reset", environments)
        return found

    def send(self, action: ArrayLike, running: Flags | None = None) -> None:
        """Start one agent step, as `Pool.send`; what is wrong with the actions is said by `recv`."""
        self._ticket = self._worker.ask(self._number, "step", action, running)

    def recv(self) -> Step:
        """Finish the agent step, as `Pool.recv`."""
        step: Step = self._worker.answer(self._ticket)
        return step

    def step(self, action: ArrayLike, running: Flags | None = None) -> Step:
        """`send`, then `recv`."""
        self.send(action, running)
        return self.recv()

    @property
    def cursor(self) -> Cursor:
        """As `Pool.cursor`."""
        found: Cursor = self._call("cursor")
        return found

    def restore(self, cursor: Cursor) -> Floats:
        """As `Pool.restore`."""
        found: Floats = self._call("restore", cursor)
        return found

    def skip_resets(self, amounts: Sequence[int]) -> None:
        """As `Pool.skip_resets`."""
        self._call("skip_resets", amounts)

    def close(self) -> None:
        """Free the environments; the worker goes on."""
        self._call("close")

    def _call(self, method: str, *arguments: Any) -> Any:
        return self._worker.answer(self._worker.ask(self._number, method, *arguments))


def _end(process: subprocess.Popen[bytes], connection: Connection, words: IO[bytes]) -> None:
    connection.close()
    process.kill()
    process.wait()
    words.close()


def serve(connection: Connection) -> None:
    """The worker: answers (True, result) or (False, text of a ValueError) until nobody asks any more."""
    pools: dict[int, Pool] = {}
    while True:
        try:
            number, method, *arguments = connection.recv()
        except EOFError:
            return
        answer: Any = None
        try:
            if method == "make":
                pools[number] = Pool(*arguments)
            elif method == "close":
                del pools[number]
            else:
                found = getattr(pools[number], method)
                answer = found(*arguments) if callable(found) else found
        except ValueError as error:
            connection.send((False, str(error)))
        else:
            connection.send((True, answer))


def _main() -> None:
    if sys.platform.startswith("linux"):
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with (
        Connection(int(sys.argv[1])) as connection,
        contextlib.suppress(BrokenPipeError, ConnectionResetError),
    ):
        serve(connection)
    os._exit(0)  # a pool's own threads may hang when they are joined


if __name__ == "__main__":
    _main()
