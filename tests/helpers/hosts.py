"""What this machine has for tests that need more: a browser, an image, an engine."""

import importlib.util
import os
import shutil
from functools import cache


def chromium():
    """The path of a browser for the tests marked `browser`, or None if they cannot run here."""
    driver = importlib.util.find_spec("playwright")
    return driver and (shutil.which("chromium") or shutil.which("chromium-browser"))


def image():
    """The image that the tests marked `container` run, or None if they cannot run here."""
    return os.environ.get("MST_BENCH_TEST_IMAGE")


def sif():
    """The image that the tests marked `apptainer` run, or None if they cannot run here."""
    return os.environ.get("MST_BENCH_TEST_SIF") if shutil.which("apptainer") else None


@cache
def engine():
    """The container engine."""
    import docker

    return docker.from_env(timeout=300)
