"""docs/reference/commands.md: every command with its options, from the program itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from handbook.fields import one_line
from handbook.markdown import anchor, code, page, table
from harness.cli.main import program
from harness.cli.variables import commands, flag_of

OPENING = """\
`mst-bench COMMAND --help` says the same. A command without a word before its options is `run`. An
environment variable sets any option: `MST_BENCH_<COMMAND>_<FLAG>` that of one command, as
`MST_BENCH_RUN_MAX_WALL`, and `MST_BENCH_<FLAG>` that of every command which has it. What a command
prints with `--json`: [JSON](json.md). What it ends with: [exit codes](../use.md#exit-codes)."""
HEADERS = ["option", "default", "meaning"]
WORDS = {"int": "whole number", "float": "number", "str": "text"}


def commands_page() -> str:
    """The page."""
    shown = list(visible())
    rows = [[f"[{name}](#{anchor(name)})", _first(command)] for name, command in shown]
    return page(
        "Commands", OPENING, table(["command", ""], rows), *(_section(*row) for row in shown)
    )


def visible() -> Iterator[tuple[str, Any]]:
    """Every command that `--help` shows, by its words."""
    for words, command in commands(program()):
        if not command.hidden:
            yield " ".join(words), command


def _first(command: Any) -> str:
    """The first paragraph of a command's help."""
    return one_line((command.help or "").split("\n\n")[0])


def _section(name: str, command: Any) -> str:
    """A command: how it is called, what it does, its arguments, its options by panel."""
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    words = " ".join(_placeholder(argument) for argument in arguments)
    parts = [f"## {name}", f"`{f'mst-bench {name} {words}'.strip()} [OPTIONS]`"]
    parts += [one_line(paragraph) for paragraph in (command.help or "").split("\n\n")]
    if arguments:
        rows = [[code(_placeholder(one)), _meaning(one)] for one in arguments]
        parts.append(table(["argument", "meaning"], rows))

    # With the program's own settings: a command remembers its help option from the first context.
    settings = program().context_settings
    context = command.make_context(name, [], resilient_parsing=True, **settings)
    panels: dict[str, list[list[str]]] = {}
    for option in command.params:
        if flag_of(option) is not None and not option.hidden:
            panel = getattr(option, "rich_help_panel", None) or ""
            panels.setdefault(panel, []).append(_row(option, context))
    for panel, rows in panels.items():
        parts += [f"*{panel}*"] if panel else []
        parts.append(table(HEADERS, rows))
    return "\n\n".join(parts)


def _placeholder(argument: Any) -> str:
    """How an argument is written in a call."""
    name = argument.name.rstrip("_").upper()
    name += "..." if argument.nargs == -1 else ""
    return name if argument.required else f"[{name}]"


def _row(option: Any, context: Any) -> list[str]:
    """An option: its flags with what they take, its default, its meaning."""
    flags = ", ".join(code(flag) for flag in (*option.opts, *option.secondary_opts))
    default = "required" if option.required else code(_default(option))
    return [f"{flags} {_value(option, context)}".strip(), default, _meaning(option)]


def _value(option: Any, context: Any) -> str:
    """What an option takes, in words: what its help shows between angle brackets."""
    shown = option.get_help_record(context)[0]
    if option.is_flag or "<" not in shown:
        return ""
    value = shown.partition("<")[2].rpartition(">")[0]
    if "|" in value:
        return " or ".join(map(code, value.split("|")))
    word = re.sub(r"^list\[(\w+)\]$|^(\w+) range$", lambda found: found[1] or found[2], value)
    word = WORDS.get(word, word.lower())
    return f"{word}, several times" if option.multiple else word


def _default(option: Any) -> str:
    """The default of an option, where it says something."""
    default = option.default
    if default is None or option.multiple:
        return ""
    if option.is_flag:
        return str(option.opts[0]) if default is True and option.secondary_opts else ""
    return str(getattr(default, "value", default))


def _meaning(parameter: Any) -> str:
    """The help of an option or argument."""
    return one_line(parameter.help or "").replace("<", "&lt;")
