"""Executors: ways to carry out cohorts. Each is a function over the same idempotent unit; the table holds places as text."""

from __future__ import annotations

EXECUTORS: dict[str, tuple[str, str]] = {
    "local": ("harness.executors.local:execute", "a process for each cohort, several at a time"),
    "inline": ("harness.executors.inline:execute", "in this process, one cohort after the other"),
}
"""Name -> (place, meaning)."""
