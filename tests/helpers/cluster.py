"""A cluster of Slurm on this machine: its own daemons, two nodes, ports and files of its own."""

import ctypes
import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.executors.child import PR_SET_PDEATHSIG

PROGRAMS = ("slurmctld", "slurmd", "sbatch")
NODES = ("one", "two")
CONFIGURATION = """
ClusterName=bench
SlurmctldHost=localhost
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=5
KillWait=20
SchedulerParameters=bf_interval=1,sched_min_interval=100000
NodeName=one NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} CPUs=6 RealMemory=64000
NodeName=two NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} CPUs=6 RealMemory=64000
PartitionName=main Nodes=one,two Default=YES MaxTime=INFINITE State=UP
"""
PATIENCE = 120.0
"""Seconds that anything is waited for on a machine that is busy with other things."""


def has_slurm():
    """Whether Slurm's programs are on this machine."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return all(shutil.which(program, path=path) for program in PROGRAMS)


class Cluster:
    """slurmctld and a slurmd for each of two nodes."""

    def __init__(self, folder):
        self.folder = folder
        self.conf = folder / "slurm.conf"
        self.daemons = {}
        self._signals = []
        self._ended = threading.Event()
        self._hurrying = threading.Thread(target=self._hurry, daemon=True)

    def start(self):
        (self.folder / "state").mkdir(parents=True)
        with many_ports(3) as ports:
            self.conf.write_text(
                CONFIGURATION.format(folder=self.folder, ports=ports, user=getpass.getuser())
            )
        self._daemon("slurmctld", "-D", "-c")
        for node in NODES:
            self.begin_node(node)
        wait(lambda: self.say("sinfo", "--noheader", "--format=%D %t") == "2 idle", "two nodes")
        self._hurrying.start()

    def begin_node(self, node):
        (self.folder / f"spool-{node}").mkdir(exist_ok=True)
        self._daemon("slurmd", "-D", "-N", node)

    def stop(self):
        """Leave no process and no job."""
        self._ended.set()
        self._hurrying.join()
        self.say("scancel", "--user", getpass.getuser())
        with suppress(AssertionError):
            wait(lambda: not self.say("squeue", "--noheader"), "an empty queue", 30.0)
        for process in self.processes():
            kill(process)
        for passing in self._signals:
            passing.kill()
            passing.wait()
        for daemon in self.daemons.values():
            daemon.terminate()
        for daemon in self.daemons.values():
            try:
                daemon.wait(10.0)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def say(self, *words):
        """What one of Slurm's programs prints."""
        quiet = {"capture_output": True, "text": True, "timeout": 20.0}
        done = subprocess.run(words, env=self.environment(), **quiet)
        return done.stdout.strip()

    def environment(self):
        path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
        return {**os.environ, "PATH": path, "SLURM_CONF": str(self.conf)}

    def signal(self, name, job):
        """A signal to what a job runs. scancel goes on asking until the job is settled."""
        words = ["timeout", "20", "scancel", f"--signal={name}", job]
        self._signals.append(subprocess.Popen(words, env=self.environment()))

    def jobs(self, plan_folder):
        """Cohort -> (number of its job, state, node), of what is in the queue."""
        form = "--format=%A|%K|%T|%N|%Z"
        lines = self.say("squeue", "--noheader", "--array", form).splitlines()
        rows = [line.split("|") for line in lines]
        return {
            int(index): (job, state, node)
            for job, index, state, node, folder in rows
            if folder == str(plan_folder) and index.isdigit()
        }

    def kill_node(self, node):
        """SIGKILL to the daemon of a node and everything on it, as a loss of power would do."""
        self.daemons[node].kill()
        self.daemons.pop(node).wait()
        for process in self.processes(f"SLURMD_NODENAME={node}"):
            kill(process)

    def _daemon(self, program, *words):
        log = open(self.folder / f"{words[-1]}.log", "ab")  # noqa: SIM115 - the daemon's
        with log:
            self.daemons[words[-1]] = subprocess.Popen(
                [program, *words],
                stdout=log,
                stderr=log,
                env=self.environment(),
                # However the tests end, no daemon stays.
                preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
            )

    def processes(self, *needed):
        """Processes of this cluster's jobs, those that Slurm started them with first."""
        marks = {f"SLURM_CONF={self.conf}", *needed}
        tasks, keepers = [], []
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                environment = set((path / "environ").read_text(errors="replace").split("\0"))
                if not marks <= environment or "SLURM_JOB_ID" not in "".join(environment):
                    continue
                tasks.append(int(path.name))
                parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
                if (Path("/proc") / str(parent) / "comm").read_text().strip() == "slurmstepd":
                    keepers.append(parent)
        return [*keepers, *tasks]

    def _hurry(self):
        """Slurm lets a requeued job wait for two minutes; no test does."""
        while not self._ended.wait(1.0):
            lines = self.say("squeue", "--noheader", "--array", "--format=%i|%r").splitlines()
            for line in lines:
                job, _, reason = line.partition("|")
                if reason == "BeginTime":
                    self.say("scontrol", "update", f"JobId={job}", "StartTime=now")


@contextmanager
def many_ports(count):
    """Free ports of the loopback interface."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    yield [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()


def kill(process):
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def wait(condition, words, patience=PATIENCE):
    """Returns what `condition` gives once that is something."""
    deadline = time.monotonic() + patience
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{words}: not after {patience:.0f} s"
        time.sleep(0.2)
    return result
