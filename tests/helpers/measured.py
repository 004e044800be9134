"""A command of the program in a process of its own, and what it took beyond its imports."""

import json
import subprocess
import sys
from dataclasses import dataclass

DRIVER = """
import sys, json, time, importlib, resource
for module in sys.argv[1].split(","):
    importlib.import_module(module)
sys.argv = ["mst-bench", *sys.argv[2:]]

def status(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":")) / 1024

limit = (int(status("VmSize")) + 4096) << 20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
from harness.cli.main import main
before, started = status("VmHWM"), time.process_time()
try:
    main()
finally:
    taken = {"mib": status("VmHWM") - before, "seconds": time.process_time() - started}
    print("MEASURED " + json.dumps(taken), file=sys.stderr)
"""
VERIFYING = (
    "harness.cli.main,harness.cli.entries,harness.entries.verified,numpy,safetensors,jsonschema"
)
"""What `verify` imports, imported before it is measured."""
PLANNING = f"{VERIFYING},harness.planning.reader,harness.planning.making,harness.run"
"""The same of `plan`."""
SHOWING = f"{PLANNING},harness.entries.page,leaderboard.pages.report,leaderboard.pages.charts"
"""The same of `report` and `status`."""


@dataclass(frozen=True)
class Measured:
    """How a command ended, and what it took."""

    returncode: int
    stdout: str
    stderr: str
    """Without the line of the measurement."""
    mib: float
    """Memory at its peak beyond what the imports took."""
    seconds: float
    """Of the processor, since machines do other things too; who waits for ever runs out of
    patience."""


def measured(*arguments, imports=VERIFYING, patience=60, **options):
    """Runs a command. `patience`: seconds after which it hangs, and the test fails."""
    command = [sys.executable, "-P", "-c", DRIVER, imports, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=patience, **options)
    *lines, last = ended.stderr.splitlines()
    taken = json.loads(last.removeprefix("MEASURED "))
    return Measured(ended.returncode, ended.stdout, "\n".join(lines), **taken)
