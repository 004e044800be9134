"""Runs git, which asks no questions and whose words become one sentence."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from harness.errors import UserError


def run_git(
    folder: Path,
    *arguments: str,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """What git prints; UserError with its words if it fails. It asks no questions."""
    words = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **(environment or {})}
    command = ["git", "-C", str(folder), *arguments]
    try:
        finished = subprocess.run(
            command, input=stdin, capture_output=True, env=os.environ | words, check=False
        )
    except FileNotFoundError:
        raise UserError("git is not installed, and a board is a git repository.") from None
    if finished.returncode != 0:
        lines = finished.stderr.decode("utf-8", "replace").strip().splitlines() or ["no words"]
        reasons = [line for line in lines if not line.startswith("hint:")]
        raise UserError(f"{folder}: git {arguments[0]}: {' '.join(reasons[:4])}")
    return finished.stdout
