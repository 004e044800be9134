"""`release`: reads an image through the engine, without running it, and signs what it is."""

from __future__ import annotations

from pathlib import Path

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from harness.errors import NonConforming, UserError
from harness.files import digest_bytes, dump_json, write_atomic
from harness.machine.engine_image import find_image, read_files
from harness.machine.image import CONTENT, INSTALLED, LOCK, Content
from leaderboard.formats import envelope
from leaderboard.formats.document import DocumentError, parse
from leaderboard.formats.keys import SigningKey
from leaderboard.formats.release import Release, release_document
from leaderboard.formats.statement import Signer

REVISION = "org.opencontainers.image.revision"
"""Label of an image: the commit that it was built from."""
BASE = "org.opencontainers.image.base.name"
"""Label of an image: the image that it was built on."""


def write_release(name: str, folder: Path, key: SigningKey) -> Path:
    """Writes content.json, requirements.txt and the signed release.dsse.json of an image; returns
    the statement's path."""
    try:
        engine = docker.from_env(timeout=60)
        image = find_image(engine, name)
        files = read_files(engine, image.id, (CONTENT, LOCK))
    except (DockerException, RequestException) as error:
        raise NonConforming(
            f"--image {name}: the container engine does not give it out ({error})."
        ) from None

    # Labels and content of an image must name one commit and one lock.
    content = _content(files[CONTENT], f"{name}:{INSTALLED}/{CONTENT}")
    lock_sha256 = digest_bytes(files[LOCK])
    if image.labels.get(REVISION) != content.commit or content.lock_sha256 != lock_sha256:
        raise UserError(
            f"--image {name}: its labels and its content manifest name different commits or locks;"
            " build it anew."
        )

    # The statement binds the image, every name that it was pushed as, and the two files.
    subjects = {name: image.id.removeprefix("sha256:")}
    for pushed in image.attrs.get("RepoDigests") or []:
        repository, _, digest = pushed.partition("@sha256:")
        subjects[repository] = digest
    subjects |= {file: digest_bytes(files[file]) for file in files}
    release = Release(
        signer=Signer.of(key),
        version=content.version,
        variant=content.variant,
        commit=content.commit,
        base_image=image.labels.get(BASE, "unknown"),
        content_sha256=subjects[CONTENT],
        lock_sha256=lock_sha256,
    )

    # The files lie beside the statement that names their digests.
    for file, content_bytes in files.items():
        write_atomic(folder / file, content_bytes)
    path = folder / "release.dsse.json"
    document = dump_json(release_document(subjects, release))
    write_atomic(path, dump_json(envelope.sign(document, key)))
    return path


def _content(manifest: bytes, location: str) -> Content:
    """The content manifest of an image."""
    try:
        return parse(Content, manifest, location)
    except DocumentError as error:
        raise UserError(str(error)) from None
