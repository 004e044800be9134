"""A cluster of Slurm, and programs that submit to it."""

import pytest

from helpers.cluster import Cluster


@pytest.fixture(scope="session")
def daemons(tmp_path_factory):
    """A controller and two nodes, for all tests of one process."""
    cluster = Cluster(tmp_path_factory.mktemp("slurm") / "cluster")
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(daemons, monkeypatch):
    """The cluster, which programs of this test find."""
    environment = daemons.environment()
    monkeypatch.setenv("SLURM_CONF", environment["SLURM_CONF"])
    monkeypatch.setenv("PATH", environment["PATH"])
    return daemons
