"""One folder as two machines see it on a network: two SSHFS mounts of the same server, each with
its own cache. A lock on one of them is none on the other, and every error of the server is EPERM.

Needs Debian's sshfs and openssh-server, /dev/fuse, and root.
"""

import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("sshfs", "fusermount3", "ssh-keygen")
SERVER = Path("/usr/sbin/sshd")
CAP_SYS_ADMIN = 21
CONFIGURATION = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PidFile none
Subsystem sftp internal-sftp
"""


def has_network_folders():
    """Whether a network folder can be served and mounted here."""
    programs = all(shutil.which(program) for program in PROGRAMS) and SERVER.exists()
    return programs and os.geteuid() == 0 and os.access("/dev/fuse", os.W_OK) and _may_mount()


def _may_mount():
    """Whether this process has CAP_SYS_ADMIN, which root in a container may lack."""
    status = Path("/proc/self/status").read_text()
    effective = status.partition("CapEff:")[2].split()[0]
    return bool(int(effective, 16) >> CAP_SYS_ADMIN & 1)


@contextmanager
def network_folder(folder):
    """The folder on the server, and the two mounts of it."""
    served = folder / "served"
    mounts = [folder / name for name in ("one", "two")]
    for path in (served, *mounts):
        path.mkdir()
    for name in ("host", "user"):
        key = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name)
        subprocess.run(key, check=True)

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = folder / "sshd.conf"
    configuration.write_text(CONFIGURATION.format(port=port, folder=folder))
    Path("/run/sshd").mkdir(exist_ok=True)
    with ExitStack() as stack:
        server = subprocess.Popen([SERVER, "-D", "-f", configuration])
        stack.callback(server.wait)
        stack.callback(server.terminate)
        _wait_for(port)
        for mount in mounts:
            _mount(served, mount, folder / "user", port)
            stack.callback(subprocess.run, ("fusermount3", "-u", "-z", mount), check=True)
        yield served, mounts


def _wait_for(port):
    """Until the server listens."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("sshd does not listen")


def _mount(served, mount, key, port):
    options = f"port={port},IdentityFile={key},StrictHostKeyChecking=no"
    options += ",UserKnownHostsFile=/dev/null,LogLevel=ERROR"
    subprocess.run(("sshfs", f"root@127.0.0.1:{served}", mount, "-o", options), check=True)
