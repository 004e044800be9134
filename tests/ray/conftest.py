"""A Ray cluster that all tests of this folder share."""

import pytest

from helpers.ray_nodes import two_nodes


@pytest.fixture(scope="session")
def nodes(tmp_path_factory):
    """Two nodes, which nobody reports about to anybody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        with two_nodes(tmp_path_factory.mktemp("nodes")) as started:
            yield started
