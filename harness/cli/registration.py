"""`plan --register`, `--claim` and `--reveal`: what they take and print."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.printing import echo, print_json
from harness.errors import UserError

if TYPE_CHECKING:
    from harness.planning.request import Request
    from leaderboard.formats.keys import SigningKey


def check_modes(register: bool, claim: int | None, reveal: int | None, key: Path | None) -> None:
    """UserError for two things at once, and for a signature without a key."""
    modes = {"--register": register, "--claim": claim is not None, "--reveal": reveal is not None}
    chosen = [flag for flag, given in modes.items() if given]
    if len(chosen) > 1:
        raise UserError(f"{' and '.join(chosen)}: one at a time.")
    if chosen in (["--register"], ["--reveal"]) and key is None:
        raise UserError(f"{chosen[0]}: is signed; give --key, which the board admitted.")


def check_only(flag: str, value: object, of: str, given: bool) -> None:
    """UserError for an option that means nothing here."""
    if value and not given:
        raise UserError(f"{flag}: goes with {of}.")


def register(
    request: Request,
    board: Path,
    key: SigningKey,
    blind: bool,
    release: Path | None,
    as_json: bool,
) -> None:
    """Sign the registration of a plan for a board."""
    from harness.board import register as registering
    from harness.planning.request import plan_of

    image = _image(release)
    _, suite_plan = plan_of(request)
    handed_in = registering.register(suite_plan, image, board, request.out, key, blind)
    if as_json:
        print_json({"statement": str(handed_in.statement), "draft": str(handed_in.draft)})
        return
    echo(f"statement: {handed_in.statement}: open a pull request that adds it")
    kept = "draft and salt, which nobody else needs to see yet" if blind else "draft"
    echo(f"keep the {kept}: {handed_in.draft}")


def _image(release: Path | None) -> str:
    """Digest of the content of the image that will run the plan; UserError if none is known."""
    from harness.machine import image
    from leaderboard.formats.release import read_release
    from leaderboard.formats.signed import SignedError

    if release is None:
        content = image.content_sha256()
        if content is None:
            raise UserError(
                "--register: says which image will run the plan, and this is none; give --release"
                " with its release statement, or register inside of it."
            )
        return content
    try:
        return read_release(release, None).statement.predicate.content_sha256
    except OSError as error:
        raise UserError(f"--release {release}: cannot be read ({error.strerror}).") from None
    except SignedError as error:
        raise UserError(f"--release {error}.") from None


def claim(index: int, board: Path, out: Path, beacon: Path | None, as_json: bool) -> None:
    """Write the plan of a registration with its seeds."""
    from harness.board import claim as claiming

    claimed = claiming.claim(index, board, out, beacon)
    if as_json:
        print_json(asdict(claimed))
        return
    echo(f"plan {claimed.plan}: its seeds follow from leaf {index} and round {claimed.round}")
    echo(f"carry it out: mst-bench run --plan {claimed.folder}")


def reveal(index: int, board: Path, out: Path, key: SigningKey, as_json: bool) -> None:
    """Sign what a blinded registration announced."""
    from harness.board import register as registering

    statement = registering.reveal(index, board, out, key)
    if as_json:
        print_json({"statement": str(statement)})
        return
    echo(f"statement: {statement}: open a pull request that adds it")
