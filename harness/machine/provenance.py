"""Where results come from: versions, hardware, source, and the reasons why an entry is not ranked."""

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
PACKAGES = (*NUMERICAL, "dm_control", "safetensors", "cryptography")
"""Libraries whose versions an entry states."""
FOLDERS = ("agents", "envs", "harness", "leaderboard")


def versions() -> dict[str, str]:
    """Python, the C library and every package that decides numbers or signatures."""
    found = {
        "mst-bench": __version__,
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
    }
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def hardware() -> dict[str, Any]:
    """What the runs ran on; CPU flags matter because libm picks its code by them."""
    import torch

    cpu = _cpuinfo()
    flags = set(cpu.get("flags", "").split())
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "architecture": platform.machine(),
        "cpu": cpu.get("model name", "unknown"),
        "cpu_flags": sorted(flags & {"avx2", "avx512f", "fma", "amx_tile"}),
        "cores": len(os.sched_getaffinity(0)),
        "gpus": names,
    }


def _cpuinfo() -> dict[str, str]:
    """The first processor of /proc/cpuinfo, where there is one."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").split("\n\n")[0].splitlines() if path.exists() else []
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


@cache
def source() -> dict[str, Any]:
    """Digest of this project's own code, and its git commit where it runs from a checkout."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".py", ".yaml", ".json"):
                digest.update(
                    f"{path.relative_to(root).as_posix()}\n".encode()
                    + hashlib.sha256(path.read_bytes()).digest()
                )
    found: dict[str, Any] = {"code_sha256": digest.hexdigest(), "commit": None, "dirty": None}
    if content := image.content():
        found |= {"commit": content.commit, "dirty": False}
    elif (root / ".git").exists():
        found |= _git(root)
    return found


def image_facts() -> dict[str, str] | None:
    """What an entry states of the reference image; None outside one."""
    content, digest = image.content(), image.content_sha256()
    return {"variant": content.variant, "content_sha256": digest} if content and digest else None


def _git(root: Path) -> dict[str, Any]:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {}


def identity() -> dict[str, str]:
    """What must be the same when a run goes on: our code, and the libraries that decide numbers."""
    found = versions()
    return {
        "code": source()["code_sha256"],
        **{name: found[name] for name in ("python", "libc", *NUMERICAL)},
    }


def command_line() -> str:
    """The command that repeats this one: as typed, or inside a container what `docker run` was given."""
    content = image.content()
    gpus = ["--gpus", "all"] if content and content.variant == "cuda" else []
    program = (
        ["docker", "run", "--rm", *gpus, "-v", "./out:/out", "mst-bench"]
        if content
        else ["mst-bench"]
    )
    return shlex.join([*program, *sys.argv[1:]])
