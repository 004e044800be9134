"""docs/reference/json.md: what each command prints with `--json`.

A test compares the keys below with those that commands print.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from handbook.commands import visible
from handbook.documents import Links, field_rows, link, links_to, part_sections, parts_of
from handbook.fields import fields, summary
from handbook.markdown import code, page, table
from harness.board.accept import Accepted
from harness.board.audit import Audit
from harness.board.claim import Claimed
from harness.board.sign import SignedLog
from harness.board.site import Built
from harness.board.witness import Witnessed
from harness.doctor import Diagnosis
from harness.entries.clip import Clip
from harness.entries.regress import Outcome
from harness.entries.sides import Differing
from harness.planning.finding import Finds
from harness.summary import PlanRow, Summary
from leaderboard.formats.reeval import Reevaluation
from leaderboard.pages.differences import GroupDifference
from leaderboard.verification.checks import Check

OPENING = """\
`--json` prints one document on stdout, in ASCII and with sorted keys; progress goes to stderr. A
mistake is a sentence on stderr and an exit code ([which](../use.md#exit-codes)), and then no
document is printed, but where a check failed: its verdict is printed. Keys may be added in
any version; what a key means changes only as [CHANGELOG](../../CHANGELOG.md) says."""


@dataclass(frozen=True)
class Printed:
    """The document of a command: the fields of `model`, and other keys."""

    model: type | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    """Key -> its value and meaning, besides those of `model`."""
    several: bool = False
    """Whether it is a list of such documents."""
    when: str = ""
    """Which of several documents a command prints."""

    @property
    def names(self) -> set[str]:
        """All keys."""
        own = {row.name for row in fields(self.model)} if self.model else set()
        return own | set(self.keys)


ACCEPTED = Printed(Accepted)
WRITTEN = Printed(keys={"written": "list of paths: what a pull request adds"})
KEY = Printed(keys={"key_id": "its id", "public_key": "64 hexadecimal digits"})
UNFINISHED = (
    "list of cohorts without results: `cohort`, `running`, `progress`, `faults`, `job`, `line`"
)
SIZES = "`task/regime` -> parameters and operations"

PRINTED: dict[str, tuple[Printed, ...]] = {
    "run": (Printed(Summary, {"accepted": "true or false: whether the entry verifies"}),),
    "plan": (
        Printed(
            keys={
                "plan": "the plan's id",
                "folder": "path of its folder",
                "runs": "planned runs",
                "cohorts": "groups of runs that are trained together",
                "memory_gib": "memory of a cohort, estimated",
                "disk_gib": "disk of all, estimated",
                "cpu_core_hours": "time on one CPU core, estimated to a factor of two",
                "sizes": SIZES,
                "finds": "list of what each test can find: [finds](#finds)",
            }
        ),
        Printed(
            keys={"statement": "path for a pull request", "draft": "path to keep"},
            when="with `--register`",
        ),
        Printed(
            keys={
                "plan": "the plan's id",
                "folder": "path of its folder",
                "runs": "planned runs",
                "fleet": "as it was asked for",
                "cohorts": "groups of runs that are trained together, now fixed",
                "members": "runs of the largest group",
                "hours": "until the last one ends, estimated",
                "gpu_hours": "of all, estimated",
            },
            when="with `--fleet`",
        ),
        Printed(Claimed, when="with `--claim`"),
        Printed(keys={"statement": "path for a pull request"}, when="with `--reveal`"),
    ),
    "compare": (
        Printed(
            keys={
                "settings": "list of [differing](#differing)",
                "groups": "list of [group difference](#group-difference)",
            }
        ),
    ),
    "regress": (Printed(Outcome),),
    "merge": (Printed(keys={"merged": "path of the new plan folder"}),),
    "reeval": (
        Printed(
            Reevaluation,
            {
                "level": "`L0`, `L1` or `L2`",
                "accepted": "true or false: whether nothing contradicts the entry",
                "statement": "path of what was signed",
            },
        ),
    ),
    "list": (
        Printed(
            keys={"the headers of the table": "text"},
            several=True,
            when="one for each row of the table",
        ),
    ),
    "status": (
        Printed(Summary, {"unfinished": UNFINISHED}, when="of a plan folder"),
        Printed(PlanRow, several=True, when="of a folder of plans"),
    ),
    "report": (
        Printed(keys={"report": "path of the page"}),
        Printed(keys={"figures": "list of paths"}, when="with `--figures`"),
        Printed(keys={"latex": "list of lines"}, when="with `--latex`"),
        Printed(keys={"markdown": "list of lines"}, when="with `--markdown`"),
        Printed(keys={"badge": "its path"}, when="with `--badge`"),
    ),
    "doctor": (Printed(Diagnosis, {"conforms": "true or false: no finding is `wrong`"}),),
    "export": (
        Printed(
            keys={
                "export": "path of what was written",
                "numbers": "how many numbers",
                "runs": "of how many runs",
            }
        ),
    ),
    "clip": (Printed(Clip),),
    "sign": (
        Printed(keys={"entry": "its path", "signed_with_key": "the beginning of the key's id"}),
    ),
    "verify": (
        Printed(
            keys={
                "entry": "its path",
                "accepted": "true or false: no check failed",
                "level": "how far it was checked, `L0` to `L3`",
                "ranked": "true or false: whether a board may rank it",
                "unranked_because": "list of reasons",
                "checks": "list of `name`, `status` (`passed`, `failed`, `unknown`), `detail`",
            }
        ),
    ),
    "release": (Printed(keys={"release statement": "its path"}),),
    "submit": (WRITTEN,),
    "accept": (ACCEPTED, Printed(keys={"key": "whose name was published"}, when="of a name")),
    "keys generate": (KEY,),
    "keys show": (KEY,),
    "keys rotate": (ACCEPTED,),
    "keys revoke": (ACCEPTED,),
    "keys change": (WRITTEN,),
    "log sign": (Printed(SignedLog),),
    "log witness": (Printed(Witnessed),),
    "log audit": (Printed(Audit, {"stale": "true or false: no quorum saw it for days"}),),
    "board build": (Printed(Built),),
    "board init": (Printed(keys={"root": "path of the trust root"}),),
    "board check": (Printed(Check, several=True),),
    "board suite": (ACCEPTED,),
    "board retract": (ACCEPTED,),
    "board forget": (Printed(keys={"key": "whose name was taken off"}),),
    "baseline accept": (
        Printed(keys={"baseline": "path of its folder", "reason": "as it was given"}),
    ),
}
"""Command -> the documents that it may print."""
NAMED = (Finds, Differing, GroupDifference)
"""Parts that the keys above name."""


def json_page() -> str:
    """The page."""
    models = [row.model for rows in PRINTED.values() for row in rows if row.model]
    parts = [*NAMED, *(part for part in parts_of([*NAMED, *models]) if part not in NAMED)]
    links = {**links_to(parts), Audit: link("log audit")}
    sections = []
    for name in printing():
        sections.append(f"## {name}")
        for row in PRINTED[name]:
            sections += _section(row, links)
    return page(
        "The JSON of `--json`",
        OPENING,
        *sections,
        *("## Parts of documents", *part_sections(parts, links, "###")),
    )


def printing() -> list[str]:
    """The commands that take `--json`, in the order of `--help`."""
    return [
        name
        for name, command in visible()
        if any("--json" in option.opts for option in command.params)
    ]


def _section(row: Printed, links: Links) -> list[str]:
    """One document of a command."""
    shape = "A list of documents" if row.several else ""
    opening = ", ".join(filter(None, [shape, row.when]))
    parts = [f"{opening[0].upper()}{opening[1:]}:"] if opening else []
    rows = [[code(key), value, ""] for key, value in row.keys.items()]
    if row.model:
        parts.append(summary(row.model))
        rows = [
            [key, value, meaning] for key, value, _, meaning in field_rows(row.model, links)
        ] + rows
    return [*parts, table(["key", "value", "meaning"], rows)]
