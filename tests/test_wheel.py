"""The wheel: everything that the source has, and nothing else."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("agents", "envs", "harness", "leaderboard")
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
"""What `pip wheel --no-build-isolation` does, without the network."""


def files_of(package):
    """Every file of a package folder, code and data, by its path in the repository."""
    paths = (ROOT / package).rglob("*")
    files = [path for path in paths if path.is_file() and path.parent.name != "__pycache__"]
    return {path.relative_to(ROOT).as_posix() for path in files}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names of all files in a wheel, built from a copy of the source."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for package in PACKAGES:
        without_caches = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, source / package, ignore=without_caches)

    python = [sys.executable, "-c", BUILD, str(source / "built")]
    (source / "built").mkdir()
    done = subprocess.run(python, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = (source / "built").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_every_package_and_data_file(wheel, package):
    assert {name for name in wheel if name.startswith(f"{package}/")} == files_of(package)


def test_a_wheel_holds_nothing_else(wheel):
    folders = {name.partition("/")[0] for name in wheel}
    assert {name for name in folders if not name.endswith(".dist-info")} == set(PACKAGES)


def test_data_is_among_what_is_compared():
    """So that the test above cannot pass for want of files."""
    suffixes = {Path(name).suffix for package in PACKAGES for name in files_of(package)}
    assert {".json", ".yaml", ".html"} <= suffixes
