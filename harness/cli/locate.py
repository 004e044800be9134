"""Finds the plan folder or the entry that an argument means: every command takes either."""

from __future__ import annotations

from pathlib import Path

from harness.errors import UserError
from harness.folder import Folder

SHOWN = 10
"""Plans that a sentence names at most."""


def plan_folder(path: Path) -> Path:
    """The folder of a plan, a baseline or an entry.

    `path`: the folder, a file in it, or the folder with the beginning of its name. UserError if
    that is none, or several.
    """
    if path.is_file() and is_plan(path.parent):
        return path.parent
    if is_plan(path):
        return path

    # A folder's name may be cut short, while it names one.
    if not path.exists():
        begun = [plan for plan in plans_under(path.parent) if plan.name.startswith(path.name)]
        if len(begun) == 1:
            return begun[0]
        if begun:
            raise UserError(f"{path}: is the beginning of {_listed(begun)}; give more of it.")
        raise UserError(f"{path}: no such file or folder; name OUT/<plan id>.")

    plans = plans_under(path) if path.is_dir() else []
    if plans:
        raise UserError(f"{path}: holds {_listed(plans)}; name one.")
    raise UserError(f"{path}: is no plan's folder; name OUT/<plan id>, or the entry in it.")


def entry_file(path: Path) -> Path:
    """The entry that a path names, or that lies in the plan folder that it names; UserError
    without one."""
    if path.is_file():
        return path
    entry = Folder(plan_folder(path)).entry
    if not entry.exists():
        raise UserError(f"{entry}: no such file; `mst-bench run` signs one when it ends.")
    return entry


def plans_under(out: Path) -> list[Path]:
    """The plan folders right below a folder, by name."""
    try:
        return sorted(folder for folder in out.iterdir() if is_plan(folder))
    except OSError:
        return []


def is_plan(folder: Path) -> bool:
    """Whether a plan, or an entry, lies in a folder."""
    paths = Folder(folder)
    return paths.plan.is_file() or paths.entry.is_file()


def _listed(plans: list[Path]) -> str:
    shown = ", ".join(map(str, plans[:SHOWN]))
    return f"{shown} and {len(plans) - SHOWN} others" if len(plans) > SHOWN else shown
