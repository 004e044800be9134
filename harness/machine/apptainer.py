"""An Apptainer image: the words that run a command in it, and what it says of itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

from harness.errors import NonConforming
from harness.files import digest_bytes
from harness.machine.image import CONTENT, INSTALLED

CONTAINED = ("--containall", "--env", "OMP_NUM_THREADS=1")
"""Nothing of the node is seen inside: no home, no variables, no processes."""
NO_FILE = 1
"""Exit code of `cat` for a file that is not there; Apptainer's own are others."""


def running(image: str, folder: Path, device: str, command: str) -> list[str]:
    """The words that run a command of ours in an image, which sees `folder` under its own path."""
    gpu = ["--nv"] if device.startswith("cuda") else []
    bound = ["--bind", f"{folder}:{folder}"]
    return ["apptainer", "run", *CONTAINED, *bound, *gpu, _resolved(image), command]


def image_content(image: str) -> str | None:
    """Digest of an image's content manifest, as it states it from inside; None if it has none.

    Of the image only its `cat` runs, contained. Raises NonConforming without Apptainer, and for
    what is no image.
    """
    words = ["apptainer", "exec", *CONTAINED, _resolved(image), "cat", f"{INSTALLED}/{CONTENT}"]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError:
        raise NonConforming(
            "--apptainer: there is no program apptainer here, and a registered plan names what its"
            " image holds; give the command where there is one."
        ) from None
    if done.returncode == NO_FILE:
        return None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason is given"]
        raise NonConforming(f"--apptainer {image}: cannot be read: {lines[-1]}")
    return digest_bytes(done.stdout)


def _resolved(image: str) -> str:
    """An image's own path, wherever the command runs; an address stays as it is."""
    return str(Path(image).resolve()) if Path(image).exists() else image
