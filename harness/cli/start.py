"""The console script: the program behind it takes a moment to load, and Ctrl-C may come then."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> NoReturn:
    """`mst-bench`; exits with one of the codes of `harness.errors`."""
    try:
        from harness.cli.main import main as program

        program()
    except KeyboardInterrupt:
        print("mst-bench: interrupted.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
