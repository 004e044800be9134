"""The reference image, seen from inside: its content manifest, and whether its files match."""

from __future__ import annotations

import random
import re
import socket
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from harness import __version__
from harness.config import build
from harness.errors import NonConforming
from harness.files import digest_file, dump_json, read_json

INSTALLED = "/opt/mst-bench"
"""The installed environment, in an image."""
CONTENT = "content.json"
"""The content manifest, at the top of the installed environment."""
LOCK = "requirements.txt"
"""The lock from which the environment was installed, beside the manifest."""
CONTENT_SCHEMA = "urn:mst-bench:content:v1"
SAMPLE = 64
"""Files of other projects that are checked when a run starts; ours are all checked."""
OURS = re.compile(r"lib/[^/]+/site-packages/(agents|envs|harness|leaderboard|mst_bench-[^/]+)/.*")

MOUNTS = Path("/proc/self/mountinfo")
ANONYMOUS = re.compile(r"/volumes/[0-9a-f]{64}/_data$")
"""Source of the anonymous volume that the engine mounts if the image declares a volume and the
user named none."""

RUN_LINE = (
    "docker run --rm --init --gpus all --network none --read-only --tmpfs /tmp:size=1g"
    " --user $(id -u):$(id -g) --cap-drop ALL --security-opt no-new-privileges --pids-limit 4096"
    ' -v "$PWD/out":/out mst-bench --suite dmc-hard'
)
"""The hardened way to run the image."""


@dataclass(frozen=True)
class Content:
    """content.json: everything that was installed into an image."""

    schema: str
    version: str
    variant: Literal["cuda", "cpu"]
    commit: str
    """Git commit of this project, or `unknown`."""
    lock_sha256: str
    """Digest of the lock."""
    files: dict[str, str]
    """Path under the environment -> sha256, of every file but the manifest itself."""


def write_content(environment: Path, variant: Literal["cuda", "cpu"], commit: str) -> None:
    """Write the content manifest of an installed environment."""
    files = {name: digest_file(environment / name) for name in _installed(environment)}
    content = Content(CONTENT_SCHEMA, __version__, variant, commit, files[LOCK], files)
    (environment / CONTENT).write_bytes(dump_json(asdict(content)))


@cache
def content(environment: Path = Path(sys.prefix)) -> Content | None:
    """The content manifest of the image that this process runs in; None outside one."""
    path = environment / CONTENT
    return build(Content, read_json(path), str(path)) if path.exists() else None


def content_sha256(environment: Path = Path(sys.prefix)) -> str | None:
    """Digest of the content manifest, which entries state and releases sign; None outside one."""
    path = environment / CONTENT
    return digest_file(path) if path.exists() else None


def check_sample() -> None:
    """Raises NonConforming if the image is not as it was built; called when a run starts."""
    changes = sampled_changes()
    if changes:
        raise NonConforming(
            f"{sys.prefix}: {changes[0]}. This is not the image that was built;"
            " run it as it was released."
        )


def sampled_changes(environment: Path = Path(sys.prefix)) -> list[str]:
    """Which of our files, and of a sample of the others, were changed or removed, in words."""
    manifest = content(environment)
    if manifest is None:
        return []

    # A random sample is quick, and nobody can know it in advance.
    ours = [name for name in manifest.files if OURS.fullmatch(name)]
    foreign = sorted(set(manifest.files) - set(ours))
    sample = random.SystemRandom().sample(foreign, min(SAMPLE, len(foreign)))
    return _changed(environment, manifest, [*ours, *sample])


def all_changes(environment: Path = Path(sys.prefix)) -> list[str]:
    """Every file that was changed, removed or added since the image was built, in words."""
    manifest = content(environment)
    if manifest is None:
        return []

    new = [name for name in _installed(environment) if name not in manifest.files]
    added = [f"{name} was added" for name in new]
    return _changed(environment, manifest, manifest.files) + added


def unkept(out: Path) -> str | None:
    """A warning if results under `out` vanish with this container, else None.

    They do where neither a folder nor a named volume is mounted.
    """
    # Mount point -> its source, from the fields of mountinfo (man 5 proc).
    mounts = [line.split() for line in MOUNTS.read_text(encoding="utf-8").splitlines()]
    roots = {mount[4]: mount[3] for mount in mounts}

    # The mount that holds `out`.
    folders = [str(path) for path in (out.absolute(), *out.absolute().parents)]
    above = next(folder for folder in folders if folder in roots)

    if content() is None or not (above == "/" or ANONYMOUS.search(roots[above])):
        return None
    return (
        f"nothing is mounted at {out}: results stay in this container. To keep them, add"
        f" `-v ./out:{out}`; or afterwards, if it was started without --rm,"
        f" `docker cp {socket.gethostname()}:{out} ./out`."
    )


def _changed(environment: Path, expected: Content, names: Iterable[str]) -> list[str]:
    """Which of these files are missing or differ from the manifest, in words."""
    changes = []
    for name in names:
        path = environment / name
        if not path.is_file():
            changes.append(f"{name} is missing")
        elif digest_file(path) != expected.files[name]:
            changes.append(f"{name} is not the file that was built")
    return changes


def _installed(environment: Path) -> list[str]:
    """Every file of an environment but its content manifest.

    Links are followed: they point at the interpreter.
    """
    files = [path for path in environment.rglob("*") if path.is_file()]
    names = [path.relative_to(environment).as_posix() for path in files]
    return sorted(name for name in names if name != CONTENT)
