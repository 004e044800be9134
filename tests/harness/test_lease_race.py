"""Two engines race for one cohort, and are killed or stopped at any moment: one result, whole."""

import hashlib
import json
import os
import random
from collections import Counter
from functools import partial

import pytest

from harness.folder import Folder
from harness.training.ending import read_ending
from harness.training.lease import newest
from helpers.forked import forks
from helpers.network_folder import network_folder
from helpers.racing import race
from helpers.runs import promised
from helpers.stub_cohort import COHORT, ENDS, MODULES, SALT
from leaderboard.formats.records import CHAIN_START

ROUNDS = int(os.environ.get("MST_BENCH_TEST_RACES", "6"))
"""Of each race; more for a hunt."""
SECONDS = 0.15
"""Silence after which a cohort is taken over here."""
STUB = "from helpers import no_locks, stub_cohort; no_locks.refuse(); stub_cohort.main()"
"""On a file system that refuses every lock, and hard links."""
ON_THE_NETWORK = "from helpers import stub_cohort; stub_cohort.main()"
LONGEST = 0.25
"""Seconds between two events: about as long as a cohort takes."""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forked")
    with forks(folder, "helpers.stub_cohort", "helpers.no_locks") as started:
        yield started


@pytest.fixture(scope="module")
def expected(server, tmp_path_factory):
    """What a cohort leaves that nobody disturbed."""
    folder = tmp_path_factory.mktemp("alone")
    assert server.start(STUB, folder, 60.0).ended()[0] == 0
    return left(folder)


def left(folder):
    """What a cohort left of its runs, byte for byte, once it is checked that nothing else is."""
    paths = Folder(folder).cohort(0)
    assert not list(paths.checkpoint.iterdir()), "a finished cohort keeps no checkpoint"
    assert read_ending(paths).kind == "finished"
    assert newest(paths.leases).heartbeat is None
    assert not list(folder.glob("runs/**/.*")), "nothing is left of whoever worked there"

    # All of it by one process, and the cohort was carried out to its end once.
    owners = {Folder(folder).run(run).timing.read_text() for run in COHORT.runs}
    ends = (folder / ENDS).read_text().split() if (folder / ENDS).exists() else []
    assert len(owners) == 1
    assert ends in ([], [*owners]), "it was carried out twice"
    return promised(folder)


def check_whole(folder):
    """Every file of every run is by the one process that ended it, over records that are one
    chain, though others worked on them before."""
    for run in COHORT.runs:
        paths = Folder(folder).run(run)
        result = json.loads(paths.result.read_bytes())
        assert result["salt"] == paths.timing.read_text()
        for name in MODULES:
            assert paths.tensors(name).read_text() == f"{name} {result['whole']} {result['salt']}"

        head = CHAIN_START
        for line in paths.records.read_bytes().splitlines(keepends=True):
            assert json.loads(line)["before"] == head
            head = hashlib.sha256(line).hexdigest()
        assert head == result["chain_head"]


@pytest.mark.parametrize("engines", [1, 2])
def test_killed_and_stopped_at_random_moments_there_is_one_result_and_it_is_whole(
    server, expected, tmp_path, engines
):
    moments = random.Random(engines)
    ends = Counter()
    for number in range(ROUNDS):
        folder = tmp_path / f"round-{number}"
        salt = {SALT: "1"} if number % 2 else {}
        begin = partial(server.start, STUB, folder, SECONDS, **salt)
        codes = race([begin] * engines, moments, LONGEST)
        if salt:
            left(folder)
            check_whole(folder)
        else:
            assert left(folder) == expected, codes
        ends.update(code for each in codes for code in each)
    print(
        f"{ROUNDS} rounds of {engines}: killed {ends[-9]} times, another's cohort {ends[3]} times"
    )


@pytest.mark.slow
@pytest.mark.sshfs
def test_two_machines_with_one_network_folder_leave_one_result(server, expected, tmp_path):
    """Each sees what the other did only when its cache allows, which may take 20 seconds."""
    moments = random.Random(3)
    with network_folder(tmp_path) as (served, mounts):
        for number in range(ROUNDS // 2):
            (served / f"round-{number}").mkdir()
            folders = [mount / f"round-{number}" for mount in mounts]
            begins = [partial(server.start, ON_THE_NETWORK, folder, 2.0) for folder in folders]
            codes = race(begins, moments, LONGEST)
            assert left(served / f"round-{number}") == expected, codes
