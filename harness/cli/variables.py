"""Environment variables: one rule for every option of every command.

`MST_BENCH_<COMMAND>_<FLAG>` is the option of one command, `MST_BENCH_<FLAG>` that of every command
which has it; the first wins, and a typed option wins over both. What takes several values, as
--set does, takes them one a line, or separated by semicolons.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from harness.errors import suggestion

PREFIX = "MST_BENCH_"
PASSPHRASE = "MST_BENCH_PASSPHRASE"
"""Of the signing key, where no file holds it. No option: others see the arguments of a process."""
OF_TESTS = "MST_BENCH_TEST_"
"""Variables that the project's own tests read begin so."""
INTERNAL = "MST_BENCH_PARENT"
"""In which a cohort's process finds the one that started it (harness/executors/child.py)."""


def assign(program: Any) -> None:
    """Gives every option of the program the variables that it is read from."""
    for words, command in commands(program):
        for option in command.params:
            flag = flag_of(option)
            if flag is not None:
                option.envvar = names(words, flag)
                option.show_envvar = False  # shown whole by harness/cli/app.py
                if option.multiple:
                    option.split_envvar_value = _split


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below a group, by its words; hidden ones too."""
    for name, command in group.commands.items():
        below = (*words, name)
        if hasattr(command, "commands"):
            yield from commands(command, below)
        else:
            yield below, command


def flag_of(parameter: Any) -> str | None:
    """The long flag of an option without its dashes; None for an argument and for --help."""
    flags = [name for name in parameter.opts if name.startswith("--")]
    if not flags or flags[0] == "--help":
        return None
    return str(flags[0].removeprefix("--"))


def names(words: tuple[str, ...], flag: str) -> list[str]:
    """The variables of an option: of its own command, and of every command."""
    own = "_".join((*words, flag))
    return [PREFIX + name.replace("-", "_").upper() for name in (own, flag)]


def unknown(program: Any) -> Iterator[str]:
    """A sentence for each variable of ours that nothing reads."""
    known = {PASSPHRASE, INTERNAL}
    for words, command in commands(program):
        for option in command.params:
            flag = flag_of(option)
            if flag is not None:
                known.update(names(words, flag))
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and not name.startswith(OF_TESTS) and name not in known:
            nearest = suggestion(name, known)
            hint = nearest if nearest.startswith(" Did") else ""
            yield f"environment variable {name}: no option reads it.{hint}"


def _split(value: str) -> list[str]:
    """Values of a variable, one a line or separated by semicolons."""
    parts = [part.strip() for part in value.replace("\n", ";").split(";")]
    return [part for part in parts if part]
