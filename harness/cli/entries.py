"""Commands about a single entry or image: sign, verify, release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness import errors
from harness.cli.keys import KeyOption, PassphraseOption, TensorsOption, TrustOption, signing_key
from harness.cli.locate import entry_file, plan_folder
from harness.cli.printing import JsonOption, print_json, print_path, print_verdict
from harness.errors import Incomplete
from harness.files import check_can_write
from harness.folder import Folder
from harness.words import count


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (sign, verify, release):
        app.command()(command)


def sign(
    folder: Annotated[Path, typer.Argument(help="OUT/<plan id>, finished, or the entry in it.")],
    key: Annotated[Path, typer.Option("--key", help="Ed25519 private key.")],
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a finished plan folder with your key, replacing a one-use signature.

    The old entry is verified first. The report is drawn again, as it names the key.
    """
    from harness.entries.entry import sign_again
    from harness.entries.page import write_report
    from harness.entries.verified import Refused, verified

    # The key is read first: nobody waits for a verification before hearing of a wrong passphrase.
    signing = signing_key(key, passphrase_file)
    folder = plan_folder(folder)
    check_can_write(Folder(folder).entry)

    # A new signature covers what was verified under the old one, and nothing else.
    try:
        entry = verified(folder)
    except Refused as refused:
        print_verdict(refused.verdict)
        raise typer.Exit(errors.UNVERIFIED) from None
    missing = sum(run.missing for run in entry.runs)
    if missing:
        raise Incomplete(
            f"{folder}: {missing} of {count(len(entry.runs), 'run')} have no result yet. Carry them"
            " out before you sign: the command that began the plan resumes it."
        )
    sign_again(entry, signing)
    write_report(folder)
    print_path(entry.path, "entry", as_json, signed_with_key=signing.key_id[:16])


def verify(
    entry: Annotated[Path, typer.Argument(help="OUT/<plan id>, or the entry in it.")],
    trust: TrustOption = None,
    release: Annotated[
        Path | None,
        typer.Option("--release", help="Signed release statement of the entry's image."),
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Refuse an entry whose tensors are not there.")
    ] = False,
    reeval: Annotated[
        Path | None, typer.Option("--reeval", help="Signed re-evaluation of the entry.")
    ] = None,
    tensors: TensorsOption = None,
    board: Annotated[
        Path | None,
        typer.Option("--board", help="Clone of the board that the plan was registered in."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check an entry, offline: one line a check. Exit 4 if any fails."""
    from harness.entries.verified import judge

    verdict = judge(entry_file(entry), trust, release, complete, reeval, tensors, board)
    if as_json:
        print_json(verdict.document())
    else:
        print_verdict(verdict)
    if not verdict.accepted:
        raise typer.Exit(errors.UNVERIFIED)


def release(
    image: Annotated[
        str, typer.Option("--image", help="The image, as the engine knows it.")
    ] = "mst-bench",
    out: Annotated[
        Path, typer.Option("--out", help="Folder of the statement and of what it binds.")
    ] = Path("release"),
    key: KeyOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign what an image is: its digests, content manifest, commit and lock.

    The image is read, not run.
    """
    from harness.entries.release import write_release

    signing = signing_key(key, passphrase_file)
    print_path(write_release(image, out, signing), "release statement", as_json)
