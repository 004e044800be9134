"""Where results come from: versions, hardware, source code, image and command line."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from harness import __version__
from harness.machine import image

NUMERICAL = ("torch", "envpool", "envpool-assets", "mujoco", "numpy")
"""Libraries that decide numbers."""
PACKAGES = (*NUMERICAL, "dm_control", "safetensors", "cryptography")
"""Libraries whose versions an entry states."""
FOLDERS = ("agents", "envs", "harness", "leaderboard")
"""Folders of our own code."""


def versions() -> dict[str, str]:
    """Python, the C library and every package that decides numbers or signatures."""
    named = {
        "mst-bench": __version__,
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
    }
    for package in PACKAGES:
        try:
            named[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            named[package] = "not installed"
    return named


def hardware() -> dict[str, Any]:
    """The hardware of the runs. CPU flags matter because libm chooses its code by them."""
    import torch

    cpu = _cpuinfo()
    flags = set(cpu.get("flags", "").split())
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "architecture": platform.machine(),
        "cpu": cpu.get("model name", "unknown"),
        "cpu_flags": sorted(flags & {"avx2", "avx512f", "fma", "amx_tile"}),
        "cores": len(os.sched_getaffinity(0)),
        "gpus": gpus,
    }


def _cpuinfo() -> dict[str, str]:
    """Fields of the first processor in /proc/cpuinfo; empty if there is no such file."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {}
    first, *_ = path.read_text(encoding="utf-8").split("\n\n")
    parts = [line.partition(":") for line in first.splitlines()]
    return {key.strip(): value.strip() for key, _, value in parts}


@cache
def source() -> dict[str, Any]:
    """Digest of this project's own code, and its git commit if it runs from a checkout."""
    root = Path(__file__).resolve().parents[2]
    facts: dict[str, Any] = {"code_sha256": _code_sha256(root), "commit": None, "dirty": None}

    # The commit: as built into the image, or of the checkout.
    if content := image.content():
        facts |= {"commit": content.commit, "dirty": False}
    elif (root / ".git").exists():
        facts |= _git(root)
    return facts


def _code_sha256(root: Path) -> str:
    """sha256 over names and contents of our code files."""
    digest = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".py", ".yaml", ".json"):
                digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _git(root: Path) -> dict[str, str | bool]:
    """Commit of a checkout, and whether files were changed since; empty if git fails."""

    def git(*arguments: str) -> str:
        # Reading takes no lock: a process that is killed would leave it behind.
        command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {}


def image_facts() -> dict[str, str] | None:
    """Facts of the reference image that an entry states; None outside one."""
    content = image.content()
    digest = image.content_sha256()
    if content is None or digest is None:
        return None
    return {"variant": content.variant, "content_sha256": digest}


def identity() -> dict[str, str]:
    """What must be the same when a run resumes: our code, and libraries that decide numbers."""
    current = versions()
    libraries = {name: current[name] for name in ("python", "libc", *NUMERICAL)}
    return {"code": source()["code_sha256"], **libraries}


def command_line() -> str:
    """The command that repeats this one: as typed, or `docker run` inside of a container."""
    program = ["mst-bench"]
    if content := image.content():
        gpus = ["--gpus", "all"] if content.variant == "cuda" else []
        program = ["docker", "run", "--rm", *gpus, "-v", "./out:/out", "mst-bench"]
    return shlex.join([*program, *sys.argv[1:]])
