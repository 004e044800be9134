"""The reference image, seen from inside: the content manifest that was baked in, and whether the files are what it says."""

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

CONTENT, LOCK = "content.json", "requirements.txt"
"""Files at the top of the installed environment: the content manifest, and the lock it was installed from."""
CONTENT_SCHEMA = "urn:mst-bench:content:v1"
SAMPLE = 64
"""Files of other projects that are looked at when a run starts; ours are all looked at."""
OURS = re.compile(r"lib/[^/]+/site-packages/(agents|envs|harness|leaderboard|mst_bench-[^/]+)/.*")

MOUNTS = Path("/proc/self/mountinfo")
ANONYMOUS = re.compile(r"/volumes/[0-9a-f]{64}/_data$")
"""What the engine mounts where an image asks for a volume and the user named none."""

RUN_LINE = (
    "docker run --rm --init --gpus all --network none --read-only --tmpfs /tmp --user $(id -u):$(id -g) --cap-drop ALL"
    ' --security-opt no-new-privileges --pids-limit 4096 -v "$PWD/out":/out mst-bench --suite dmc-hard'
)
"""The hardened way to run the image."""


@dataclass(frozen=True)
class Content:
    """content.json: what was installed into an image."""

    schema: str
    version: str
    variant: Literal["cuda", "cpu"]
    commit: str
    """Git commit of this project, or `unknown`."""
    lock_sha256: str
    """Of the requirements that were installed."""
    files: dict[str, str]
    """Path under the environment -> SHA-256, of every file but the manifest itself."""


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
    """What an entry states of the image it comes from, and a release is signed over; None outside one."""
    path = environment / CONTENT
    return digest_file(path) if path.exists() else None


def check_sample() -> None:
    """At the start of a run. Raises NonConforming if the image is not as it was built."""
    wrong = sampled_changes()
    if wrong:
        raise NonConforming(
            f"{sys.prefix}: {wrong[0]}. This is not the image that was built; run it as it was released."
        )


def sampled_changes(environment: Path = Path(sys.prefix)) -> list[str]:
    """All files of ours and some of the others: which were changed or removed, in words."""
    found = content(environment)
    if found is None:
        return []
    ours = [name for name in found.files if OURS.fullmatch(name)]
    others = sorted(set(found.files) - set(ours))
    sample = random.SystemRandom().sample(others, min(SAMPLE, len(others)))
    return _changed(environment, found, [*ours, *sample])


def all_changes(environment: Path = Path(sys.prefix)) -> list[str]:
    """Every file that was changed, removed or added since the image was built, in words."""
    found = content(environment)
    if found is None:
        return []
    added = [f"{name} was added" for name in _installed(environment) if name not in found.files]
    return _changed(environment, found, found.files) + added


def unkept(out: Path) -> str | None:
    """What to say if results under `out` go away with this container: nobody mounted a folder or a named volume there."""
    mounts = [line.split() for line in MOUNTS.read_text(encoding="utf-8").splitlines()]
    roots = {mount[4]: mount[3] for mount in mounts}
    above = next(
        str(path) for path in (out.absolute(), *out.absolute().parents) if str(path) in roots
    )
    if content() is None or not (above == "/" or ANONYMOUS.search(roots[above])):
        return None
    return (
        f"nothing is mounted at {out}: results stay in this container. To keep them, add `-v ./out:{out}`; or afterwards, if it"
        f" was started without --rm, `docker cp {socket.gethostname()}:{out} ./out`."
    )


def _changed(environment: Path, expected: Content, names: Iterable[str]) -> list[str]:
    wrong = []
    for name in names:
        path = environment / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif digest_file(path) != expected.files[name]:
            wrong.append(f"{name} is not the file that was built")
    return wrong


def _installed(environment: Path) -> list[str]:
    """Every file of an environment but its content manifest. Links are followed: they point at the interpreter."""
    names = [
        path.relative_to(environment).as_posix()
        for path in environment.rglob("*")
        if path.is_file()
    ]
    return sorted(name for name in names if name != CONTENT)
