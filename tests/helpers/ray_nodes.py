"""A Ray cluster of two nodes as processes of this machine, each with a folder of its own."""

import os
import time
from contextlib import contextmanager
from pathlib import Path

ADDRESSES = ("127.0.0.2", "127.0.0.3")
MEMORY = 3 << 30


class Nodes:
    """The nodes of a cluster, by number."""

    def __init__(self, parent):
        from ray.cluster_utils import Cluster

        self.cluster = Cluster()
        self.parent = parent
        self.nodes = []
        for number in range(2):
            self.add(number)

    @property
    def address(self):
        return self.cluster.address

    def work(self, number):
        """The folder that one node alone has."""
        return self.parent / f"node-{number}"

    def add(self, number, **environment):
        """Start a node, with variables for its processes."""
        self.work(number).mkdir(exist_ok=True)
        variables = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        variables |= {"TMPDIR": str(self.work(number)), **environment}
        head = {"dashboard_host": "127.0.0.1", "no_monitor": True} if number == 0 else {}
        node = self.cluster.add_node(
            num_cpus=1,
            num_gpus=0,
            memory=MEMORY,
            object_store_memory=100 << 20,
            node_ip_address=ADDRESSES[number % 2],
            include_dashboard=False,
            env_vars=variables,
            **head,
        )
        self.nodes.append(node)
        return node

    def lose(self, node):
        """SIGKILL to all processes of a node."""
        self.cluster.remove_node(node, allow_graceful=False)
        self.nodes.remove(node)

    def cohorts(self, number):
        """Processes of cohorts on a node -> the process of Ray that started each."""
        parents = {}
        for process in Path("/proc").glob("[0-9]*"):
            try:
                folder = process.joinpath("cwd").readlink()
                words = process.joinpath("cmdline").read_bytes().split(b"\0")
                parent = process.joinpath("stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if folder.is_relative_to(self.work(number)) and b"run-cohort" in words:
                parents[int(process.name)] = int(parent)
        return parents


@contextmanager
def two_nodes(parent):
    """Two nodes, each with one CPU; nothing of them is left behind the block."""
    nodes = Nodes(parent)
    try:
        yield nodes
    finally:
        nodes.cluster.shutdown()


def wait_until(condition, process, seconds=180.0):
    """Wait for something to become true while a process runs; returns what it became."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        if result := condition():
            return result
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate())
