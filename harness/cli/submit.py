"""`mst-bench submit`: what is handed in to a board."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import errors
from harness.cli.clone import (
    HERE,
    BoardKeyOption,
    BoardOption,
    ReasonOption,
    print_written,
)
from harness.cli.keys import PassphraseOption, signing_key
from harness.cli.locate import plan_folder
from harness.cli.printing import JsonOption, echo, print_json, print_verdict
from harness.errors import UserError

if TYPE_CHECKING:
    from leaderboard.formats.keys import SigningKey

FolderArgument = Annotated[
    Path | None, typer.Argument(help="OUT/<plan id> of a registered plan, signed.")
]
LicenceOption = Annotated[
    str, typer.Option("--licence", help="CC-BY-4.0, CC0-1.0 or CDLA-Permissive-2.0.")
]
MirrorsOption = Annotated[
    list[str],
    typer.Option("--mirror", help="https:// address of a folder that serves the tensors."),
]
JoinOption = Annotated[bool, typer.Option("--join", help="Ask to be admitted.")]
RetractOption = Annotated[
    int | None, typer.Option("--retract", min=0, help="Leaf of a registration or an entry.")
]
AmendOption = Annotated[
    int | None, typer.Option("--amend", min=0, help="Leaf of an entry: --reason is its note.")
]
ReevalOption = Annotated[
    Path | None, typer.Option("--reeval", help="A re-evaluation beside its entry in the clone.")
]
NameOption = Annotated[str, typer.Option("--name", help="How you want to be called.")]
AffiliationOption = Annotated[str, typer.Option("--affiliation", help="Beside the name.")]
LinkOption = Annotated[str | None, typer.Option("--link", help="https:// address of yours.")]
SUBMITTED = ("FOLDER", "--join", "--retract", "--amend", "--reeval", "--name")


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command()(submit)


def submit(
    key: BoardKeyOption,
    folder: FolderArgument = None,
    licence: LicenceOption = "CC-BY-4.0",
    mirrors: MirrorsOption = [],  # noqa: B006 - typer wants a plain default
    join: JoinOption = False,
    retract: RetractOption = None,
    amend: AmendOption = None,
    reeval: ReevalOption = None,
    name: NameOption = "",
    affiliation: AffiliationOption = "",
    link: LinkOption = None,
    reason: ReasonOption = "",
    board: BoardOption = HERE,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand something in to a board: an entry, or what you ask for. Checked first, written to the
    clone for a pull request.

    A name goes into no pull request: send its file to a maintainer.
    """
    positions = (retract is not None, amend is not None)
    if sum((folder is not None, join, *positions, reeval is not None, bool(name))) != 1:
        raise UserError(f"submit: give one of {', '.join(SUBMITTED)}.")
    signing = signing_key(key, passphrase_file)
    if folder is not None:
        _submit_entry(folder, board, signing, licence, mirrors, as_json)
    elif reeval is not None:
        from harness.entries.submission import submit_reeval

        print_written(submit_reeval(reeval, board, signing), "re-evaluation", as_json)
    elif name:
        from harness.board.people import request_name

        path = request_name(board, signing, name, affiliation, link, HERE)
        print_json({"written": [str(path)]}) if as_json else echo(
            f"name: {path}; send it to a maintainer, in no pull request: those stay"
        )
    else:
        from harness.board.statements import propose

        leaf = _asked(signing, join, retract, amend, reason)
        print_written(propose(board, leaf, [signing], reason), str(leaf["kind"]), as_json)


def _asked(
    key: SigningKey, join: bool, retract: int | None, amend: int | None, reason: str
) -> dict[str, object]:
    """The leaf of what a submitter asks for."""
    if join:
        return {"kind": "admit", "public_key": key.public_hex}
    if retract is not None:
        return {"kind": "retract", "key": key.key_id, "target": retract}
    if not reason.strip():
        raise UserError("submit --amend: --reason is the note; it is empty.")
    return {"kind": "amend", "key": key.key_id, "entry": amend}


def _submit_entry(
    folder: Path, board: Path, key: SigningKey, licence: str, mirrors: list[str], as_json: bool
) -> None:
    """Write a finished entry for a pull request."""
    from harness.entries.submission import submit_entry
    from harness.entries.verified import Refused
    from leaderboard.formats.log.leaf import LICENCES

    known = {name: name for name in LICENCES}
    if licence not in known:
        raise UserError(
            f"--licence {licence}: is not in the list.{errors.suggestion(licence, known)}"
        )
    if not mirrors:
        raise UserError("submit: --mirror says where the tensors are; give at least one.")
    try:
        path = submit_entry(plan_folder(folder), board, key, known[licence], mirrors)
    except Refused as refused:
        print_verdict(refused.verdict)
        raise typer.Exit(errors.UNVERIFIED) from None
    print_written([path], "entry", as_json)
