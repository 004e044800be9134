"""An image of the container engine, read without running it: one that lies about itself gets no
chance to act."""

from __future__ import annotations

import io
import tarfile
from contextlib import suppress
from typing import Any

from docker.errors import DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

from harness.errors import NonConforming
from harness.files import digest_bytes
from harness.machine.image import CONTENT, INSTALLED


def find_image(engine: Any, name: str) -> Any:
    """An image that the engine has; NonConforming without it: images are never pulled unasked."""
    try:
        return engine.images.get(name)
    except ImageNotFound:
        raise NonConforming(
            f"--image {name}: the engine has no such image. Make it with `make image`, or load or"
            " pull it."
        ) from None


def image_content(engine: Any, name: str) -> str | None:
    """Digest of an image's content manifest, as it states it from inside; None if it has none."""
    try:
        files = read_files(engine, find_image(engine, name).id, (CONTENT,))
    except NotFound:
        return None
    return digest_bytes(files[CONTENT])


def read_files(engine: Any, image: str, names: tuple[str, ...]) -> dict[str, bytes]:
    """Files of an image, read out of a container that is never started."""
    container = engine.containers.create(image, ["none"])
    try:
        return {
            name: _only_file(b"".join(container.get_archive(f"{INSTALLED}/{name}")[0]))
            for name in names
        }
    finally:
        with suppress(DockerException, RequestException):
            container.remove(force=True, v=True)


def _only_file(archive: bytes) -> bytes:
    """The file in an archive that the engine made of it."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = tar.extractfile(tar.getmembers()[0])
        assert member is not None
        return member.read()
