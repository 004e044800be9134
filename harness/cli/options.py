"""Command-line options, made from the fields of `harness.options` and of the executors' groups."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Container
from dataclasses import dataclass
from inspect import Parameter
from typing import Annotated, Any

import typer

from harness.executors import EXECUTORS
from harness.options import Option, Options, options_of


@dataclass(frozen=True)
class CommandOptions:
    """What a command line says: the general options, and those that one executor takes."""

    general: Options
    own: dict[str, object]
    """Field -> value, of executors' groups: what was typed, or set in the environment."""


Command = Callable[..., None]
Groups = dict[tuple[str, ...], list[Option]]
"""Executors -> the options that they alone take. An option of one name means the same to all."""


def with_options(command: Command) -> Command:
    """A command whose parameter `options` is replaced by every option of `run`."""
    takers = dict[Option, list[str]]()
    for name, row in EXECUTORS.items():
        for option in options_of(row.options):
            takers.setdefault(option, []).append(name)

    groups: Groups = {}
    for option, names in takers.items():
        groups.setdefault(tuple(names), []).append(option)
    return _expanded(command, options_of(Options), groups)


def with_cohort_options(command: Command) -> Command:
    """A command whose parameter `options` is replaced by the options of `run-cohort`."""
    general = [option for option in options_of(Options) if option.flag.of_cohort]
    return _expanded(command, general, groups={})


def with_some_options(command: Command, fields: Container[str], panel: str) -> Command:
    """A command whose parameter `options` is replaced by the options of these fields of `Options`,
    under a title of their own in `--help`."""
    general = [option for option in options_of(Options) if option.field in fields]
    return _expanded(command, general, groups={}, panel=panel)


def _expanded(
    command: Command, general: list[Option], groups: Groups, panel: str | None = None
) -> Command:
    """`command` with a parameter for each option, which Typer reads from the signature."""

    # What Typer calls: the values become the options again.
    def collect(context: typer.Context, **values: Any) -> None:
        options = Options(**{option.field: values.pop(option.field) for option in general})
        own: dict[str, object] = {}
        for executors, group in groups.items():
            chosen = values["executor"] in executors
            for option in group:
                value = values.pop(option.field)
                if _was_said(context, option.field, chosen):
                    own[option.field] = value
        command(**values, options=CommandOptions(options, own))

    # Typer reads signature, annotations (not from source text), name and docstring.
    parameters = _parameters(command, general, groups, panel)
    collect.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    collect.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    collect.__name__ = command.__name__
    collect.__doc__ = command.__doc__
    return collect


def _was_said(context: typer.Context, field: str, chosen: bool) -> bool:
    """Whether an executor's option was typed, or is in an environment variable that counts.

    A variable counts if its executor was `chosen`: it may stay set while another one is used.
    """
    source = context.get_parameter_source(field)
    if source is None:
        return False
    return source.name == "COMMANDLINE" or (chosen and source.name == "ENVIRONMENT")


def _parameters(
    command: Command, general: list[Option], groups: Groups, panel: str | None
) -> list[Parameter]:
    """Those of `command`, with a parameter for each option in the place of `options`."""
    parameters = [Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        if parameter.name != "options":
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY))
            continue

        parameters += [_parameter(option, panel) for option in general]
        for executors, group in groups.items():
            own = f"Options of --executor {' and '.join(executors)}"
            parameters += [_parameter(option, own) for option in group]
    return parameters


def _parameter(option: Option, panel: str | None) -> Parameter:
    """`panel`: the title in `--help` that the option stands under, if it is not the common one."""
    flag = option.flag
    option_info = typer.Option(
        *flag.names,
        help=flag.help,
        min=flag.minimum,
        max=flag.maximum,
        rich_help_panel=panel,
    )
    return Parameter(
        option.field,
        Parameter.KEYWORD_ONLY,
        default=option.default,
        annotation=Annotated[option.annotation, option_info],
    )
