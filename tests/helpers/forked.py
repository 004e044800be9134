"""Processes that begin at once: each is forked from one that has imported what they need.

A process of Python spends a third of a second on imports. Where dozens of them race, that is most
of the test, and keeps them from meeting.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SERVER = """
import importlib, json, os, sys, traceback
for module in sys.argv[1:]:
    importlib.import_module(module)

def carry_out(code, arguments, environment, output):
    os.setsid()
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(f"{output}.{name}", os.O_WRONLY | os.O_CREAT), number)
    os.environ.update(environment)
    sys.argv = ["-c", *arguments]
    try:
        exec(code, {"__name__": "__main__"})
        ended = 0
    except SystemExit as ending:
        ended = ending.code
    except BaseException:
        traceback.print_exc()
        ended = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)

for line in sys.stdin:
    asked = json.loads(line)
    if "wait" in asked:
        answer = os.waitstatus_to_exitcode(os.waitpid(asked["wait"], 0)[1])
    elif "look" in asked:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        answer = int(os.waitid(os.P_PID, asked["look"], options) is None)
    else:
        answer = os.fork()
        if answer == 0:
            carry_out(**asked)
    print(answer, flush=True)
"""


@dataclass
class Forked:
    """A process of its own group."""

    server: "Forks"
    pid: int
    output: Path
    code: int | None = None
    """Its exit code, once somebody has waited for it."""

    def running(self):
        return self.code is None and self.server.ask(look=self.pid) == 1

    def kill(self):
        """End it and all that it has started."""
        with suppress(ProcessLookupError):  # it has not made a group of its own yet
            os.killpg(self.pid, signal.SIGKILL)
        os.kill(self.pid, signal.SIGKILL)

    def ended(self):
        """Its exit code, stdout and stderr, once it has ended."""
        if self.code is None:
            self.code = self.server.ask(wait=self.pid)
        paths = [Path(f"{self.output}.{name}") for name in ("stdout", "stderr")]
        return self.code, *(path.read_text() if path.exists() else "" for path in paths)


class Forks:
    """What forks them."""

    def __init__(self, process, folder):
        self.process = process
        self.folder = folder
        self.started = 0

    def ask(self, **words):
        print(json.dumps(words), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())

    def start(self, code, *arguments, **environment):
        """Run code of Python with these arguments and variables."""
        self.started += 1
        output = self.folder / f"forked-{self.started}"
        words = {"code": code, "arguments": list(map(str, arguments))}
        pid = self.ask(**words, environment=environment, output=str(output))
        return Forked(self, pid, output)


@contextmanager
def forks(folder, *modules):
    """A server whose processes have imported these modules; their output lies in the folder."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SERVER, *modules]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        yield Forks(process, folder)
        process.stdin.close()
