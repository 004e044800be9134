"""The program `mst-bench` for a shell, whose processes begin at once.

A process of the program spends one to three seconds on imports. Here each is forked from one that
has done them, with its own arguments, environment, folder, input and outputs.
"""

import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

SERVER = """
import json, os, signal, socket, sys, traceback
sys.argv = ["mst-bench"]
import harness.run, harness.entries.page, harness.entries.reeval, harness.cli.main
import harness.entries.manifest as manifests
{prelude}

# The same code on the same machine has the same canary, which takes seconds. It is another
# process's: whoever has learned has threads, which no fork would have.
reader, writer = os.pipe()
if os.fork() == 0:
    os.write(writer, manifests.canary("mrq").encode())
    os._exit(0)
os.close(writer)  # a child that fails ends the reading
canaries = {{"mrq": os.read(reader, 64).decode()}}
assert canaries["mrq"]
manifests.canary = canaries.__getitem__

def carry_out(caller, asked, streams):
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["mst-bench", *asked["arguments"]]
    try:
        code = harness.cli.main.main()
    except SystemExit as ending:
        code = ending.code
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    caller.send(str(code or 0).encode())
    os._exit(0)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.socket(socket.AF_UNIX)
listener.bind({path!r})
listener.listen()
print("ready", flush=True)
while True:
    caller = listener.accept()[0]
    message, streams, _, _ = socket.recv_fds(caller, 1 << 20, 3)
    if os.fork() == 0:
        listener.close()
        carry_out(caller, json.loads(message), streams)
    for stream in streams:
        os.close(stream)
    caller.close()
"""
CLIENT = """\
#!{python} -IS
import json, os, socket, sys
asked = dict(folder=os.getcwd(), environment=dict(os.environ), arguments=sys.argv[1:])
server = socket.socket(socket.AF_UNIX)
server.connect({path!r})
socket.send_fds(server, [json.dumps(asked).encode()], [0, 1, 2])
sys.exit(int(server.recv(16) or 1))
"""


@contextmanager
def preloaded(program, python, environment, prelude=""):
    """Writes `program`, a file for the shell's PATH, while the block runs.

    `python`: what starts it; `environment`: where it imports from; `prelude`: code that runs once.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "socket"))  # short, as the address of a socket must be
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(CLIENT.format(python=python, path=path))
        program.chmod(0o755)
        server = [python, "-P", "-c", SERVER.format(path=path, prelude=prelude)]
        with subprocess.Popen(server, env=environment, stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"ready\n"
            yield
            process.kill()
