"""Commands that judge finished plan folders: compare, regress, baseline, merge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from harness import errors
from harness.cli.app import App
from harness.cli.keys import KeyOption, PassphraseOption, TrustOption, signing_key
from harness.cli.locate import plan_folder
from harness.cli.printing import (
    JsonOption,
    echo,
    echo_table,
    print_json,
    print_path,
    print_verdict,
)
from harness.errors import UserError
from harness.files import check_can_write

if TYPE_CHECKING:
    from harness.entries.regress import Confirm, Outcome
    from harness.planning.plan import Plan

T = TypeVar("T")

baseline_app = App(no_args_is_help=True, help="Baselines of the regression gate.")

Folder = Annotated[Path, typer.Argument(help="OUT/<plan id>, the entry in it, or a baseline.")]


class Undecided(StrEnum):
    """What continuous integration makes of INCONCLUSIVE."""

    passes = "pass"
    fails = "fail"


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (compare, regress, merge):
        app.command()(command)
    app.add_typer(baseline_app, name="baseline")


def compare(
    a: Folder,
    b: Folder,
    across: Annotated[
        list[str],
        typer.Option(
            "--across",
            help="A setting in which the two may differ, as critic_lr or blocks.critic; or"
            " settings: any.",
        ),
    ] = [],  # noqa: B006 - typer wants a plain default
    trust: TrustOption = None,
    as_json: JsonOption = False,
) -> None:
    """Two finished plan folders side by side: differences with their intervals, no verdict.

    Their tasks and regimes are the same; with --across, their settings may differ, and are shown.
    """
    from harness.entries.sides import check_across, differing, same_settings, sides
    from leaderboard.pages.differences import difference_table, differences
    from leaderboard.statistics.scores import scored

    check_across(across)
    old, new = judged(lambda: sides(plan_folder(a), plan_folder(b), trust, across))
    rows = differences(scored(old.runs, old.entry.fresh), scored(new.runs, new.entry.fresh))
    settings = differing(old, new)
    if as_json:
        groups = [asdict(row) for row in rows]
        print_json({"settings": [asdict(row) for row in settings], "groups": groups})
        return
    echo(f"suite {old.plan.suite.name}: each figure of {b} minus that of {a}")
    for side in (old, new):
        source = "measured anew" if side.entry.fresh else "as claimed"
        echo(f"{side.folder}: scores {source} ({side.entry.verdict.level})")
    for row in settings:
        echo(f"{row.name}: {row.a} in a, {row.b} in b ({', '.join(row.groups)})")
    for name in same_settings(across, settings):
        echo(f"{name}: the same in both")
    echo_table(difference_table(rows))


def regress(
    baseline: Folder,
    candidate: Folder,
    tolerance: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Largest loss of a mean that may pass, as a share."),
    ] = 0.05,
    margin: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Loss that a PASS must exclude, as a share."),
    ] = 0.2,
    on_inconclusive: Annotated[
        Undecided, typer.Option(help="pass: exit 0 with a warning; fail: exit 6.")
    ] = Undecided.passes,
    confirm: Annotated[
        bool,
        typer.Option("--confirm/--no-confirm", help="Run fresh seeds once before a FAIL counts."),
    ] = True,
    canary: Annotated[
        bool, typer.Option("--canary/--no-canary", help="Pass bit-identical behaviour at once.")
    ] = True,
    speed_tolerance: Annotated[
        float | None, typer.Option(min=0.0, help="Fail a larger loss of speed.")
    ] = None,
    memory_tolerance: Annotated[
        float | None, typer.Option(min=0.0, help="Fail a larger growth of memory.")
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML there.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Did a change break learning? PASS, FAIL (exit 5) or INCONCLUSIVE.

    The verdict comes with the measured rate of false alarms.
    """
    from harness.entries import regress as gates
    from harness.entries.junit import junit as junit_xml
    from harness.files import write_atomic

    baseline = plan_folder(baseline)
    candidate = plan_folder(candidate)
    if junit is not None:
        check_can_write(junit)
    limits = gates.Limits(tolerance, margin, speed=speed_tolerance, memory=memory_tolerance)
    again = _carry_out(candidate) if confirm else None
    outcome = judged(lambda: gates.regress(baseline, candidate, limits, again, canary))
    if junit is not None:
        write_atomic(junit, junit_xml(outcome))
    _print_outcome(outcome, as_json)
    raise typer.Exit(_exit_code(outcome, on_inconclusive))


def _exit_code(outcome: Outcome, on_inconclusive: Undecided) -> int:
    """The exit code of a verdict; continuous integration stops at any but 0."""
    if outcome.word == "FAIL":
        return errors.REGRESSION
    if outcome.word == "INCONCLUSIVE" and on_inconclusive is Undecided.fails:
        return errors.INCONCLUSIVE
    return errors.OK


def _print_outcome(outcome: Outcome, as_json: bool) -> None:
    """A line for each gate, and the verdict with how often it is wrong; or all of it as JSON."""
    if as_json:
        print_json(asdict(outcome))
        return
    for gate in outcome.gates:
        echo(f"{gate.name + ':':<10}{gate.word:<14} {gate.detail}")

    # How many seeds are missing for a verdict
    more = ""
    if outcome.more_seeds:
        more = f", about {outcome.more_seeds} more seeds would decide it"
    echo(f"{outcome.word}{more} ({outcome.calibration})")


def _carry_out(candidate: Path) -> Confirm:
    """Carries a plan out beside the candidate's folder, with this code."""

    def confirm(plan: Plan, members: int) -> Path:
        from harness.planning.request import Request
        from harness.run import carry_out
        from leaderboard.formats.keys import one_use_key

        request = Request(plan.suite.name, candidate.parent, members=members)
        return Path(carry_out(plan, "any", request, one_use_key()).summary.folder)

    return confirm


@baseline_app.command("accept")
def baseline_accept(
    folder: Annotated[Path, typer.Argument(help="OUT/<plan id>, finished, or the entry in it.")],
    to: Annotated[Path, typer.Option("--to", help="The baseline's folder, as in the repository.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who look later.")],
    as_json: JsonOption = False,
) -> None:
    """Make a finished run the baseline, and record when and why."""
    from harness.entries.baseline import accept

    if not reason.strip():
        raise UserError("--reason: expected a few words for those who look later.")
    folder = plan_folder(folder)

    # The new one is put together beside the old, under a name made of its name.
    if to.name in ("", ".."):
        to = to.resolve()
    check_can_write(to / "baseline.json")
    check_can_write(to.with_name(f".{to.name}.new") / "baseline.json")
    print_path(judged(lambda: accept(folder, to, reason)), "baseline", as_json, reason=reason)


def merge(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Two or more finished plan folders of one experiment, or entries."),
    ],
    out: Annotated[
        Path, typer.Option("--out", help="Where the merged one goes: OUT/<plan id>/.")
    ] = Path("out"),
    key: KeyOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """One plan folder from several of the same budget and settings, signed anew.

    They may have more seeds, tasks or regimes than each other, and be of other suites: dmc-hard and
    dmc-hard-controls make dmc-hard-all.
    """
    from harness.entries.merge import merge as merged

    signing = signing_key(key, passphrase_file)
    parts = [plan_folder(folder) for folder in folders]
    if len({part.resolve() for part in parts}) < max(2, len(parts)):
        raise UserError(
            "merge: expected two or more different folders; one was named alone or twice."
        )
    print_path(judged(lambda: merged(parts, out, signing)), "merged", as_json)


def judged(judge: Callable[[], T]) -> T:
    """What `judge` returns. For an entry that does not verify, prints the verdict: exit 4."""
    from harness.entries.verified import Refused

    try:
        return judge()
    except Refused as refused:
        print_verdict(refused.verdict)
        raise typer.Exit(errors.UNVERIFIED) from None
