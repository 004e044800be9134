"""The suites that come with the package."""

from __future__ import annotations

from pathlib import Path


def shipped() -> dict[str, Path]:
    """Names and files."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.yaml"))}
