"""Lines for people: numbers in the words of a sentence, and text that a terminal only shows."""

from __future__ import annotations

import math
import re
import sys

from leaderboard.formats.document import printable


def one_line(text: str) -> str:
    """`text` as one line that neither a terminal nor continuous integration obeys.

    Strangers wrote parts of it. Control characters and line feeds are spelled out; `::` at the
    beginning and `##` are commands to GitHub's and Azure's runners, and lose that form.
    """
    line = re.sub("#(?=#)", "# ", printable(text))
    if line.lstrip().startswith("::"):
        line = line.replace("::", ": :", 1)
    return line


def say(sentence: str) -> None:
    """A line for whoever watches; results go to stdout."""
    print(f"mst-bench: {one_line(sentence)}", file=sys.stderr, flush=True)


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 run`, `2 runs`, `1,000 runs`; `plural`: of a noun that does not take an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or noun + 's'}"


def gib(size: float) -> str:
    """A size in GiB, or in MiB where that would be nothing: 3.2 GiB, 40 MiB."""
    if size >= 1.0:
        return f"{size:,.1f} GiB"
    return f"{math.ceil(size * 1024)} MiB"


def duration(seconds: float) -> str:
    """A length of time: 41 s, 3.2 min, 5.0 h."""
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:,.1f} h"
