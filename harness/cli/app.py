"""Commands with plain help: options in sections, names and variables whole at any width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

Record = tuple[str, str]
"""An option or argument, and what it means."""


class Command(TyperCommand):
    """A command whose help has a section for each panel of its options."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options by section, each with the variable that sets it."""
        sections: dict[str, list[Record]] = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if parameter.param_type_name == "argument":
                sections["Arguments"].append(record)
                continue
            panel = getattr(parameter, "rich_help_panel", None) or "Options"
            variable = f"  [{parameter.envvar[0]}]" if parameter.envvar else ""
            sections.setdefault(panel, []).append((record[0], record[1] + variable))

        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class App(typer.Typer):
    """A group of such commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=TyperGroup, rich_markup_mode=None, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Any], Any]:
        """Registers a function, as `typer.Typer.command`."""
        return super().command(name, cls=Command, **settings)
