"""The files of a registered plan, as they lie in its folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.errors import NonConforming, UserError
from harness.folder import Folder
from harness.planning.plan import Plan
from leaderboard.formats.document import DocumentError
from leaderboard.formats.layout import PROOF
from leaderboard.formats.log.proof import LARGEST, parse_proof
from leaderboard.formats.reading import read_limited
from leaderboard.formats.registration import registered_plan


def registered_files(folder: Path, plan: Plan) -> dict[str, bytes]:
    """Name -> bytes of the files that a plan's registration left in its folder; none if it was not
    registered. UserError if one is not there."""
    if not plan.registered:
        return {}
    contents = dict[str, bytes]()
    for path in Folder(folder).registered:
        try:
            contents[path.name] = read_limited(path, LARGEST, str(path))
        except OSError as error:
            raise UserError(
                f"{path}: cannot be read ({error.strerror}), and the plan was registered.",
                "`mst-bench plan --claim` writes it again.",
            ) from None
        except DocumentError as error:
            raise UserError(f"{error}.") from None
    return contents


def log_index(folder: Path, plan: Plan) -> int | None:
    """Position of the leaf that registered the plan of a folder; None if none did."""
    files = registered_files(folder, plan)
    return parse_proof(files[PROOF], PROOF).index if files else None


def check_registered(folder: Path, plan: Plan, image_content: Callable[[], str | None]) -> None:
    """Errors unless the seeds of a registered plan follow from the files beside it, with the image
    that is about to run it. `image_content`: asks for the digest of that image's content."""
    files = registered_files(folder, plan)
    if not files:
        return
    image = image_content()
    if image is None:
        raise NonConforming(
            f"{folder}: the plan was registered for an image, and this is none; run it in there."
        )
    suite = (plan.suite.name, plan.suite.version)
    try:
        registered_plan(files, plan.canonical(), plan.seed_source, suite, image)
    except DocumentError as error:
        raise NonConforming(
            f"{folder}: {error}. Run the image that the plan was registered for, or claim it again."
        ) from None
