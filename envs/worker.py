"""Pools in a watched process: what goes wrong in native code ends that process, not the caller's.

EnvPool and MuJoCo can end their process by a signal, an abort or a plain `exit(1)`, or never answer
again. Each of these becomes an `EnvironmentFault` that says which. Run as a module, this file is
the worker.
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
    """The simulator or its process broke; the text says how. An agent never causes it."""


class Worker:
    """A child process that owns pools of environments.

    Context manager: leaving it, or the parent's death, kills the child.
    """

    def __init__(self, patience: float) -> None:
        """`patience`: seconds without a reply before the worker is killed. Building and replaying
        environments count too.
        """
        self.patience = patience

        # The worker's process. What it writes is kept for the text of a fault.
        ours, theirs = socket.socketpair()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the worker lives
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "envs.worker", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=[theirs.fileno()],
                cwd=tempfile.gettempdir(),  # MuJoCo logs its warnings to the working folder
                start_new_session=True,  # a terminal's Ctrl-C is the caller's to handle
            )
        self._connection = Connection(ours.detach())

        # Messages are answered in their order, so counting them is enough to match them.
        self._pools = 0
        self._sent = 0
        self._received = 0
        self._answers: dict[int, tuple[bool, object]] = {}
        self.close = weakref.finalize(self, _kill, self._process, self._connection, self._output)
        """Kills the process, whatever it is doing."""

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
        seeds: Sequence[Sequence[int]],
        action_repeat: int | None = None,
        threads: int | None = None,
        auto_reset: bool = True,
    ) -> WatchedPool:
        """A new `Pool` of these arguments in the worker's process."""
        self._pools += 1
        pool = WatchedPool(self, self._pools)
        self.answer(self.ask(self._pools, "make", task, seeds, action_repeat, threads, auto_reset))
        return pool

    def ask(self, *message: object) -> int:
        """Send (pool number, method, arguments...); returns the ticket for its answer."""
        with contextlib.suppress(OSError):  # a broken pipe surfaces in `answer` as EnvironmentFault
            self._connection.send(message)
        self._sent += 1
        return self._sent

    def answer(self, ticket: int) -> Any:
        """The result of a message, as `Pool` returned it.

        Raises the ValueError that `Pool` raised, and EnvironmentFault if no answer will come.
        Answers to earlier messages are kept here until they are asked for.
        """
        while ticket not in self._answers:
            self._take_answer()
        succeeded, answer = self._answers.pop(ticket)
        if not succeeded:
            raise ValueError(answer)
        return answer

    def answered(self, ticket: int) -> bool:
        """Whether `answer` would give the result of a message at once. Never waits.

        Raises EnvironmentFault if the process has ended.
        """
        while ticket not in self._answers and self._connection.poll(0):
            self._take_answer()
        return ticket in self._answers

    def _take_answer(self) -> None:
        """Keep the next answer, which belongs to the next message."""
        self._received += 1
        self._answers[self._received] = self._next_answer()

    def _next_answer(self) -> tuple[bool, object]:
        try:
            if not self._connection.poll(self.patience):
                self._process.kill()
                raise EnvironmentFault(
                    f"the environments gave no answer for {self.patience:g} s{self._last_line()}"
                )
            succeeded, answer = self._connection.recv()
            return succeeded, answer
        except (EOFError, OSError):
            raise EnvironmentFault(
                f"the environments' process {self._exit()}{self._last_line()}"
            ) from None

    def _exit(self) -> str:
        """How the process ended, in words."""
        try:
            code = self._process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            return "let its connection go"
        if code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def _last_line(self) -> str:
        """The last line that the process wrote, in brackets."""
        self._output.seek(0)
        lines = self._output.read().decode(errors="replace").split("\n")
        written = [line.strip() for line in lines if line.strip()]
        return f" ({written[-1][-200:]})" if written else ""


class WatchedPool:
    """`envs.pool.Pool` in a worker: the same methods and numbers, and every method may raise
    EnvironmentFault.
    """

    def __init__(self, worker: Worker, number: int) -> None:
        """Use `Worker.pool`."""
        self._worker = worker
        self._number = number
        self._ticket = 0

    def reset(self) -> Floats:
        """As `Pool.reset`."""
        self.begin_reset()
        return self.finish_reset()

    def begin_reset(self) -> None:
        """Start `reset`; nothing is awaited here."""
        self._ticket = self._worker.ask(self._number, "reset")

    def finish_reset(self) -> Floats:
        """The first observations [P, E, obs]."""
        observation: Floats = self._worker.answer(self._ticket)
        return observation

    def send(self, action: ArrayLike, running: Flags | None = None) -> None:
        """Start one agent step, as `Pool.send`. A ValueError about the actions comes from `recv`.

        That way nothing is awaited here.
        """
        self._ticket = self._worker.ask(self._number, "step", action, running)

    def recv(self) -> Step:
        """Finish the agent step, as `Pool.recv`."""
        step: Step = self._worker.answer(self._ticket)
        return step

    def ready(self) -> bool:
        """Whether what was begun, a step or a reset, is done: finishing it waits for nothing."""
        return self._worker.answered(self._ticket)

    def step(self, action: ArrayLike, running: Flags | None = None) -> Step:
        """`send`, then `recv`."""
        self.send(action, running)
        return self.recv()

    @property
    def cursor(self) -> Cursor:
        """As `Pool.cursor`."""
        cursor: Cursor = self._call("cursor")
        return cursor

    def restore(self, cursor: Cursor) -> Floats:
        """As `Pool.restore`."""
        observation: Floats = self._call("restore", cursor)
        return observation

    def skip_resets(self, amounts: ArrayLike) -> None:
        """As `Pool.skip_resets`."""
        self._call("skip_resets", amounts)

    def close(self) -> None:
        """Free the environments; the worker's process stays."""
        self._call("close")

    def _call(self, method: str, *arguments: object) -> Any:
        return self._worker.answer(self._worker.ask(self._number, method, *arguments))


def _kill(process: subprocess.Popen[bytes], connection: Connection, output: IO[bytes]) -> None:
    connection.close()
    process.kill()
    process.wait()
    output.close()


def serve(connection: Connection) -> None:
    """The worker's loop: answers (True, result) or (False, text of a ValueError) to each message.

    Returns when the caller closes the connection.
    """
    pools: dict[int, Pool] = {}
    while True:
        try:
            number, method, *arguments = connection.recv()
        except EOFError:
            return

        try:
            answer = _answer(pools, number, method, arguments)
        except ValueError as error:
            connection.send((False, str(error)))
        else:
            connection.send((True, answer))


def _answer(pools: dict[int, Pool], number: int, method: str, arguments: Sequence[Any]) -> object:
    """What a pool answers to a message."""
    if method == "make":
        pools[number] = Pool(*arguments)
        return None
    if method == "close":
        del pools[number]
        _return_memory()
        return None
    attribute = getattr(pools[number], method)  # a method, or the cursor
    return attribute(*arguments) if callable(attribute) else attribute


def _return_memory() -> None:
    """Give what a pool took back to the machine: glibc would keep most of it, so that a worker grew
    with each pool that it closes."""
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _main() -> None:
    # Die with the parent, and leave signals to it: a terminal's, and those that a scheduler sends
    # to every process of a job, in which the parent then saves.
    if sys.platform.startswith("linux"):
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)

    with (
        Connection(int(sys.argv[1])) as connection,
        contextlib.suppress(BrokenPipeError, ConnectionResetError),
    ):
        serve(connection)
    os._exit(0)  # joining a pool's own threads may hang


if __name__ == "__main__":
    _main()
