"""What runs on nodes, and how files travel: without Ray, calls reach the node directly."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch

from harness.errors import NonConforming, UserError
from harness.executors import executor, ray_cluster
from harness.executors.log import Log
from harness.executors.ray_cluster import NodeGone, differs
from harness.executors.ray_files import CohortFiles
from harness.executors.ray_node import PREFIX, Node, identity_here
from harness.files import Files
from harness.folder import Folder
from harness.options import Options
from harness.planning.cohorts import read_cohorts
from harness.training.checkpoint import Checkpoints
from harness.training.lease import lease

IDENTITY = {"code": "1"}


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A node of Ray's in this process, with a folder for its work."""
    (tmp_path / "work").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "work"))
    made = Node()
    yield made
    made.close()


@pytest.fixture
def cohort_here(fresh):
    """The one cohort of a plan folder, held; and its log."""
    (cohort,) = read_cohorts(fresh).cohorts
    paths = Folder(fresh).cohort(cohort.index)
    paths.path.mkdir(parents=True)
    with lease(paths.leases) as held:
        held.enter([Folder(fresh).run(run).path for run in cohort.runs])
        yield fresh, cohort, held, Log(paths.log)


class Calls:
    """Calls of a node, and how many bytes each file's parts had."""

    def __init__(self, node):
        self.node = node
        self.read = {}

    def __call__(self, method, *arguments):
        result = getattr(self.node, method)(*arguments)
        if method == "read":
            name = arguments[0].rpartition("/")[2]
            self.read[name] = self.read.get(name, 0) + len(result)
        return result


def checkpoints_of(folder, cohort):
    paths = Folder(folder).cohort(cohort.index)
    return Checkpoints(paths.checkpoint, len(cohort.runs), IDENTITY, Files())


def test_checkpoints_come_back_as_they_were_and_rows_travel_once(node, cohort_here):
    folder, cohort, held, log = cohort_here
    calls = Calls(node)
    files = CohortFiles(calls, folder, cohort, held, log)
    files.send()
    there = checkpoints_of(node.folder, cohort)
    rows = [torch.rand(50, 7) for _ in cohort.runs]
    for step in (1, 2, 3):
        there.write(step, {"step": step}, rows)
        assert files.bring() is None
    segment = {name: size for name, size in calls.read.items() if name.startswith("rows-0")}
    assert list(segment.values()) == [3 * 50 * 7 * 4]

    here, drifted = Checkpoints(
        Folder(folder).cohort(cohort.index).checkpoint, len(cohort.runs), IDENTITY
    ).read(allow_drift=False)
    assert (here.number, here.step, here.state, drifted) == (3, 3, {"step": 3}, False)
    assert all(
        torch.equal(part, torch.cat([row] * 3)) for part, row in zip(here.rows, rows, strict=True)
    )


def test_another_node_goes_on_from_what_was_saved(node, cohort_here):
    folder, cohort, held, log = cohort_here
    files = CohortFiles(Calls(node), folder, cohort, held, log)
    files.send()
    rows = [torch.rand(9, 3) for _ in cohort.runs]
    there = checkpoints_of(node.folder, cohort)
    there.write(5, {}, rows)
    files.bring()

    # The node is lost, with a checkpoint that nobody saw.
    there.write(6, {}, rows)
    other = Node()
    calls = Calls(other)
    files = CohortFiles(calls, folder, cohort, held, log)
    files.send()
    resumed = checkpoints_of(other.folder, cohort)
    checkpoint, _ = resumed.read(allow_drift=False)
    assert checkpoint.step == 5

    # What it saves then is brought, without the rows that are here already.
    resumed.write(7, {}, rows)
    files.bring()
    brought, _ = checkpoints_of(folder, cohort).read(allow_drift=False)
    assert brought.step == 7
    assert torch.equal(brought.rows[0], torch.cat([rows[0], rows[0]]))
    sizes = [size for name, size in calls.read.items() if name.startswith("rows-0")]
    assert sizes == [9 * 3 * 4]
    other.close()


def test_results_are_written_once_they_came_back_whole(node, cohort_here):
    folder, cohort, held, log = cohort_here

    def cut(method, *arguments):
        result = getattr(node, method)(*arguments)
        return result[:-1] if method == "read" and result else result

    files = CohortFiles(cut, folder, cohort, held, log)
    files.send()
    for run in cohort.runs:
        Folder(node.folder).run(run).path.mkdir(parents=True)
        Folder(node.folder).run(run).result.write_bytes(b"{}\n")
    with pytest.raises(NodeGone, match="did not come back whole"):
        files.bring_results()
    assert not any(Folder(folder).run(run).result.exists() for run in cohort.runs)
    CohortFiles(Calls(node), folder, cohort, held, log).bring_results()
    assert all(Folder(folder).run(run).result.read_bytes() == b"{}\n" for run in cohort.runs)


def test_what_a_killed_process_left_on_a_node_is_removed_by_the_next_one(tmp_path):
    script = (
        "from harness.executors.ray_node import Node; import time;"
        " node = Node(); print(node.folder, flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    words = [sys.executable, "-c", script]
    killed = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
    kept = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
    lost = killed.stdout.readline().strip()
    held = kept.stdout.readline().strip()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    subprocess.run([sys.executable, "-c", script.replace("60", "0")], env=environment, check=True)
    left = {path.name for path in tmp_path.glob(f"{PREFIX}*")}
    assert Path(held).name in left and Path(lost).name not in left
    kept.kill()
    kept.wait()


def test_a_node_says_which_code_it_has(monkeypatch):
    assert differs(identity_here()) == ""
    said = json.loads(json.dumps(identity_here()))
    said["identity"]["torch"] = "1.0"
    assert differs(said) == "has another torch"
    monkeypatch.setattr(ray_cluster.ray_node, "IDENTITY", "import no_such_module")
    assert "has no mst-bench (ModuleNotFoundError" in differs(identity_here())


def test_without_the_library_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"ray is not installed; `pip install 'mst-bench\[ray\]'`"):
        executor("ray", {}).choose_device(Options(), "any", "quick")


@pytest.mark.parametrize("address", ["ray://here:10001", "here", ":6379", "local"])
def test_what_is_no_address_is_said(address):
    with pytest.raises(UserError, match="expected HOST:PORT or auto"):
        ray_cluster._check_answers_at(address)


def test_an_address_where_nobody_listens_is_said_at_once():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(NonConforming, match=f"{address}: no Ray cluster answers there"):
        ray_cluster._check_answers_at(address)


def test_the_gpu_of_a_cohort_is_for_ray_to_choose():
    with pytest.raises(UserError, match="Ray chooses the GPU"):
        executor("ray", {}).choose_device(Options(device="cuda:1"), "any", "quick")
