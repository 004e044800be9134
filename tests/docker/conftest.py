"""A folder for results of containers."""

import pytest


@pytest.fixture
def out(tmp_path):
    """A folder that any user may write to."""
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(0o777)
    return folder
