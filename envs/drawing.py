"""Draws an episode in dm_control, in a process of its own: drawing libraries can end theirs.

The episode begins where EnvPool's does (envs/oracle.py) and takes the actions that it is told, so
its physics is that of the evaluation. Run as a module, this file is the process that draws.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ctypes.util import find_library
from dataclasses import dataclass
from multiprocessing.connection import Connection
from socket import socketpair
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from envs.oracle import Oracle
from envs.spec import Task

LIBRARIES = {"osmesa": "OSMesa", "egl": "EGL"}
"""Value of MUJOCO_GL -> the library it needs, the one that needs no GPU first."""

Pixels = NDArray[np.uint8]


class CannotDraw(RuntimeError):
    """There is no picture; the text says why."""


@dataclass(frozen=True)
class Scene:
    """An episode, and how it is drawn."""

    task: Task
    seed: int
    """Of the environment."""
    resets: int
    """Episodes that the environment began before this one."""
    actions: NDArray[np.float64]
    """[agent steps, act]"""
    action_repeat: int
    width: int
    height: int
    camera: int


class Frame(NamedTuple):
    """A moment of the episode."""

    agent_step: int
    seconds: float
    """Of simulated time."""
    returned: float
    """Sum of the rewards so far."""
    pixels: Pixels
    """[height, width, 3]"""


class Drawing:
    """An episode about to be drawn, in a process that leaving the context ends.

    Every method raises CannotDraw where no library can draw, or dm_control has no such episode.
    """

    def __init__(self, scene: Scene) -> None:
        """Begins the episode."""
        ours, theirs = socketpair()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "envs.drawing", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=[theirs.fileno()],
                cwd=tempfile.gettempdir(),  # MuJoCo logs its warnings to the working folder
                env=_environment(),
            )
        self._connection = Connection(ours.detach())
        self._connection.send(scene)
        self.first_observation: NDArray[np.float64]
        """[obs], at the start."""
        self.seconds: float
        """Of simulated time, of one agent step."""
        try:
            self.first_observation, self.seconds = self._answer()
        except CannotDraw:
            self.close()
            raise

    def frames(self, steps: Sequence[int]) -> Iterator[Frame]:
        """The frames after these numbers of agent steps, in rising order. Once."""
        self._connection.send(list(steps))
        for _ in steps:
            yield Frame(*self._answer())

    def _answer(self) -> tuple[Any, ...]:
        """What the process sent; a sentence in place of it is raised."""
        try:
            answer = self._connection.recv()
        except (EOFError, OSError):
            self._output.seek(0)
            lines = self._output.read().decode(errors="replace").strip().splitlines()
            said = f": {lines[-1][-200:]}" if lines else ""
            raise CannotDraw(f"the process that draws ended{said}") from None
        if isinstance(answer, str):
            raise CannotDraw(answer)
        assert isinstance(answer, tuple)
        return answer

    def close(self) -> None:
        """Ends the process."""
        self._connection.close()
        self._process.kill()
        self._process.wait()
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def check_library() -> None:
    """CannotDraw where no library that draws is installed."""
    _environment()


def _environment() -> dict[str, str]:
    """Variables of the process that draws, which are read when libraries are loaded.

    numpy rounds dm_control's starts as EnvPool does only with this core type (envs/oracle.py).
    """
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Nehalem"}
    if os.environ.get("MUJOCO_GL", "disable") == "disable":
        available = [name for name, library in LIBRARIES.items() if find_library(library)]
        if not available:
            raise CannotDraw(
                "no library that draws is installed: `apt-get install libosmesa6`, which needs no"
                " GPU, or a GPU's driver with EGL"
            )
        environment["MUJOCO_GL"] = available[0]
    return environment


# -- in the process that draws --


def _serve(connection: Connection) -> None:
    """Answers a scene, then a list of steps; see Drawing."""
    scene: Scene = connection.recv()
    oracle = Oracle(scene.task, scene.seed)
    observation = oracle.reset()
    for _ in range(scene.resets):
        observation = oracle.reset()
    seconds = oracle.control_timestep * scene.action_repeat
    connection.send((observation, seconds))

    # Rewards add up as in an evaluation: in float32 over an agent step, in float64 over an episode
    steps: list[int] = connection.recv()
    returned = 0.0
    done = 0
    for step in steps:
        for action in scene.actions[done:step]:
            reward = np.float32(0.0)
            for _ in range(scene.action_repeat):
                reward += oracle.step(action)[1]
            returned += float(reward)
        done = step
        pixels = oracle.render(scene.width, scene.height, scene.camera)
        connection.send((step, step * seconds, returned, pixels))


def _main() -> None:
    with Connection(int(sys.argv[1])) as connection, suppress(BrokenPipeError):
        try:
            _serve(connection)
        except AttributeError as error:
            # A start that draws what the oracle cannot: see envs/oracle.py
            connection.send(f"dm_control cannot begin this episode as EnvPool does ({error})")
        except (ImportError, RuntimeError, ValueError) as error:
            connection.send(str(error))


if __name__ == "__main__":
    _main()
