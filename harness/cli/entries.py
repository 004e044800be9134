"""Commands about a single entry or image: sign, verify, release."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness import errors
from harness.cli.keys import KeyOption, PassphraseOption, signing_key
from harness.cli.locate import entry_file, plan_folder
from harness.cli.printing import JsonOption, print_json, print_path, print_verdict
from harness.errors import Incomplete
from harness.files import check_can_write
from harness.words import count

TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", help="Trust file: keys that are known."),
]


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
    from harness.entries.entry import write_entry
    from harness.entries.page import write_report
    from harness.folder import Folder
    from harness.planning.plan import read_plan
    from leaderboard.verification.verify import verify

    # The key is read first: nobody waits for a verification before hearing of a wrong passphrase.
    signing = signing_key(key, passphrase_file)
    folder = plan_folder(folder)
    path = entry_file(folder)
    check_can_write(path)

    # A new signature must not cover files that were changed under the old one.
    verdict = verify(path)
    if not verdict.accepted or verdict.documents is None:
        print_verdict(verdict)
        raise typer.Exit(errors.UNVERIFIED)
    runs = verdict.documents.statement.predicate.runs
    missing = sum(run.missing for run in runs)
    if missing:
        raise Incomplete(
            f"{folder}: {missing} of {count(len(runs), 'run')} have no result yet. Carry them out"
            " before you sign: the command that began the plan resumes it."
        )
    entry = write_entry(folder, read_plan(Folder(folder).plan), signing)
    write_report(folder)
    print_path(entry, "entry", as_json, signed_with_key=signing.key_id[:16])


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
    as_json: JsonOption = False,
) -> None:
    """Check an entry, offline: one line a check. Exit 4 if any fails."""
    from harness.entries.verified import judge

    verdict = judge(entry_file(entry), trust, release, complete, reeval)
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
