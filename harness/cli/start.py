"""The console script: the program behind it takes a moment to load, and Ctrl-C may come then."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

PACKAGES = ("agents", "envs", "harness", "leaderboard")
"""What mst-bench is made of: names that others may have too."""
HOME = Path(__file__).resolve().parents[2]


def stranger() -> str | None:
    """A sentence about a package of somebody else's that has one of our names; None without one."""
    for name in PACKAGES:
        found = find_spec(name)
        places = list(found.submodule_search_locations or [found.origin or ""]) if found else []
        if HOME / name not in [Path(place).resolve() for place in places]:
            where = places[0] if places else "nowhere"
            return (
                f"Python finds the package `{name}` in {where}, not beside {HOME / 'harness'}:"
                " another project has the same name. Install mst-bench in a virtual environment of"
                " its own, or take the other one out of PYTHONPATH."
            )
    return None


def main() -> NoReturn:
    """`mst-bench`; exits with one of the codes of `harness.errors`."""
    try:
        clash = stranger()
        if clash:
            print(f"mst-bench: {clash}", file=sys.stderr)
            sys.exit(2)
        from harness.cli.main import main as program

        program()
    except KeyboardInterrupt:
        print("mst-bench: interrupted.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
