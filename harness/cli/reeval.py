"""The command `reeval`: what a stranger measures of an entry, and signs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import errors
from harness.cli.judge import judged
from harness.cli.keys import KeyOption, PassphraseOption, TensorsOption, TrustOption, signing_key
from harness.cli.locate import entry_file
from harness.cli.options import CommandOptions, with_some_options
from harness.cli.printing import JsonOption, echo, print_json
from harness.errors import UserError
from harness.files import check_can_write

if TYPE_CHECKING:
    from harness.entries.reeval import Outcome
    from harness.entries.retrain import Retraining

PANEL = "Options of --retrain"
FIELDS = (
    "device",
    "checkpoint_seconds",
    "max_wall",
    "retries",
    "watchdog_seconds",
    "deterministic",
)
"""Options of a cohort that the command takes."""

RetrainOption = Annotated[
    int, typer.Option("--retrain", min=0, help="Train so many runs again, drawn by chance: L2.")
]
WorkOption = Annotated[
    Path | None,
    typer.Option(
        "--work",
        help="Folder that keeps what was trained: the same command goes on after a stop.",
        rich_help_panel=PANEL,
    ),
]
ToOption = Annotated[
    Path | None,
    typer.Option("--to", help="Where the statement goes. Default: beside the entry."),
]
BoardOption = Annotated[
    Path | None,
    typer.Option(
        "--board",
        help="Clone of the board that accepted the entry: its beacon draws the episodes.",
    ),
]
BeaconOption = Annotated[
    Path | None,
    typer.Option("--beacon", help="With --board: file of the round. Default: fetched."),
]


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command()(with_some_options(reeval, FIELDS, PANEL))


def reeval(
    entry: Annotated[Path, typer.Argument(help="OUT/<plan id>, or the entry in it.")],
    *,
    retrain: RetrainOption = 0,
    work: WorkOption = None,
    options: CommandOptions,
    to: ToOption = None,
    key: KeyOption = None,
    passphrase_file: PassphraseOption = None,
    trust: TrustOption = None,
    board: BoardOption = None,
    beacon: BeaconOption = None,
    tensors: TensorsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure every submitted policy anew and sign the outcome: L1.

    Exit 4 if an entry claims what it does not hold.
    """
    from harness.entries.reeval import Streams, reevaluate
    from harness.folder import Folder

    # What is found out before the rollouts, which take minutes
    signing = signing_key(key, passphrase_file)
    entry = entry_file(entry)
    check_can_write(to or Folder(entry.parent).reeval, "" if to else "Give --to FILE.")
    if beacon is not None and board is None:
        raise UserError("--beacon: goes with --board.")
    again = _retraining(retrain, work, options)
    streams = Streams(board, beacon)
    outcome = judged(lambda: reevaluate(entry, signing, to, again, trust, streams, tensors))
    _print(outcome, as_json)
    if not outcome.stated.accepted:
        raise typer.Exit(errors.UNVERIFIED)


def _retraining(count: int, work: Path | None, options: CommandOptions) -> Retraining:
    """What was asked for; UserError for options that do not go together."""
    from harness.entries.retrain import Retraining

    if work is not None and not count:
        raise UserError("--work: goes with --retrain.")
    if count and options.general.max_wall is not None and work is None:
        raise UserError("--max-wall: goes with --work, which keeps what was trained until then.")
    return Retraining(count, options.general, work)


def _print(outcome: Outcome, as_json: bool) -> None:
    from harness.entries.reeval import verdict_lines

    stated = outcome.stated
    if as_json:
        words = {"level": stated.level, "accepted": stated.accepted}
        print_json({**asdict(stated), **words, "statement": str(outcome.path)})
        return
    for line in verdict_lines(outcome):
        echo(line)
