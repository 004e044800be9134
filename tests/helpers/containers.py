"""The image in a real engine: running it, and what its containers leave.

MST_BENCH_TEST_IMAGE names the image, `make image` makes it.
"""

import json
import os
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress

from helpers.hosts import engine, image
from helpers.program import command, run_process

HARDENED = [
    "--network",
    "none",
    "--read-only",
    "--tmpfs",
    "/tmp",
    "--user",
    "12345:12345",
    "--cap-drop",
    "ALL",
]
"""Options of `docker run` that leave a container as few rights as it needs."""


def docker(*arguments):
    """The engine's command line, to its end."""
    words = ["docker", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=300)


def container(*arguments, options=()):
    """`docker run` of the image, hardened."""
    return docker("run", "--rm", *HARDENED, *options, image(), *arguments)


def host(*arguments):
    """The program on this side, to its end."""
    return run_process(*arguments, timeout=300)


@contextmanager
def started(*arguments, **environment):
    """The program on this side, running; its stderr is a pipe."""
    with subprocess.Popen(
        command(*arguments),
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        yield process


def files(folder):
    """Everything under runs/ of the one plan in a folder that must be byte-equal."""
    (plan,) = folder.glob("*/plan.json")
    runs = sorted((plan.parent / "runs").rglob("*"))
    return {
        path.relative_to(plan.parent): path.read_bytes()
        for path in runs
        if path.is_file() and path.name != "timing.json"
    }


def ours(out):
    """Containers of the plans under a folder, running or not."""
    plans = {"label": "mst-bench.plan"}
    labelled = engine().containers.list(all=True, filters=plans, ignore_removed=True)
    return [each for each in labelled if each.labels["mst-bench.folder"].startswith(str(out))]


def wait_for_step(out, step, seconds=120):
    """Waits until both cohorts have trained so far."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        progress = out.glob("*/cohorts/*/progress.json")
        steps = [json.loads(path.read_text())["step"] for path in progress]
        if len(steps) == 2 and min(steps) >= step:
            return
        time.sleep(0.05)
    raise AssertionError(f"no cohort got to step {step} in {seconds} s")


class Proxy:
    """A way to the engine that can be cut."""

    def __init__(self, path):
        """`path`: the socket to listen on."""
        address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        self.target = address.removeprefix("unix://")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.open = [self.listener]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        """Connects whoever comes with the engine, until the proxy is cut."""
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.target)
            self.open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def copy(source, sink):
        """Passes on what comes, in one direction."""
        try:
            while received := source.recv(65536):
                sink.sendall(received)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def cut(self):
        """Ends all connections; nobody gets another."""
        for end in self.open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
