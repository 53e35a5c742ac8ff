"""The help screen: text that reflows, options in panels by task, and examples.

Typer's own screen gives the text of an option a third of a narrow terminal; here a flag stands in front of its text, and
the text has the rest of the line.
"""

from __future__ import annotations

import inspect
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_origin

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from eamdeploy.base.errors import did_you_mean
from eamdeploy.cli.help.examples import EXAMPLES
from eamdeploy.cli.help.panels import in_panels

_WIDEST = 100  # longer lines are hard to read
_NARROWEST = 40
_FLAGS = 26  # columns for a flag and its value; what is longer has a line of its own
_KINDS = {"Path": "PATH", "int": "N", "float": "X", "str": "TEXT"}


def choices_of(option: Any) -> tuple[str, ...]:
    """The words that an option takes, where they are a fixed few."""
    return tuple(str(each) for each in option.type_descriptor.choices or ())


def value_name(option: Any) -> str:
    """What stands for an option's value: its own name, ``PATH``, ``N``, ``X``, ``CHOICE`` or ``TEXT``."""
    if option.metavar:
        return str(option.metavar)
    if choices_of(option):
        return "CHOICE"
    annotation = option.type_descriptor.annotation
    if get_origin(annotation) is list:
        annotation = get_args(annotation)[0]
    return _KINDS.get(getattr(annotation, "__name__", ""), "TEXT")


def default_of(option: Any) -> str | None:
    """An option's default as it would be written; None where there is none to show."""
    value = option.default
    if option.required or value is None or value in ((), [], ""):
        return None
    if option.is_flag:
        names = option.opts if value else option.secondary_opts
        return str(names[0]) if option.secondary_opts else None
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def facts_of(option: Any) -> str:
    """What is behind an option's sentence: its choices, range, default, variable, and whether it must be given."""
    facts = []
    if choices := choices_of(option):
        facts.append("one of: " + ", ".join(choices))
    low, high = getattr(option, "min", None), getattr(option, "max", None)
    if low is not None or high is not None:
        facts.append(
            f"{low} to {high}" if None not in (low, high) else f"at least {low}" if high is None else f"at most {high}"
        )
    if (default := default_of(option)) is not None:
        facts.append(f"default: {default}")
    if option.envvar:
        facts.append(f"env: {option.envvar}")
    if option.required:
        facts.append("required")
    return "".join(f" [{fact}]" for fact in facts)


def _console() -> Console:
    terminal = shutil.get_terminal_size((80, 24)).columns
    return Console(
        file=sys.stdout, width=max(_NARROWEST, min(_WIDEST, terminal)), highlight=False, markup=False, emoji=False
    )


def _paragraphs(text: str | None) -> list[str]:
    return [" ".join(part.split()) for part in inspect.cleandoc(text or "").split("\n\n") if part.strip()]


def _heading(console: Console, name: str) -> None:
    console.print()
    console.print(Text(name, "bold"))


def _entry(console: Console, name: str, text: str, style: str = "cyan", column: int = _FLAGS) -> None:
    column = min(column, console.width // 2)
    lines = list(Text(text).wrap(console, console.width - column - 2)) or [Text("")]
    if len(name) > column - 2:
        console.print(Text.assemble("  ", (name, style)), soft_wrap=True)
    else:
        console.print(Text.assemble("  ", (name.ljust(column), style), lines.pop(0)), soft_wrap=True)
    for line in lines:
        console.print(" " * (column + 2) + line.plain, soft_wrap=True)


def _flags(option: Any) -> str:
    long = sorted(option.opts, key=len)
    if option.is_flag:
        return ", ".join(long) + (f" / {option.secondary_opts[0]}" if option.secondary_opts else "")
    return f"{', '.join(long)} {value_name(option)}"


def argument_name(argument: Any) -> str:
    """An argument as the usage shows it: ``CKPT``, ``[NAME]``, ``IMAGE...``."""
    word = (argument.metavar or argument.name.upper()).strip("[].…") + ("..." if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _usage(command: Any, context: Any) -> str:
    arguments = [p for p in command.params if not p.opts[0].startswith("-")]
    required = [f"{p.opts[0]} {value_name(p)}" for p in command.params if p.required and p.opts[0].startswith("-")]
    parts = [context.command_path, *(argument_name(a) for a in arguments), *required, "[OPTIONS]"]
    return " ".join([*parts, "COMMAND"] if hasattr(command, "commands") else parts)


def _shown(parameters: Iterable[Any]) -> list[Any]:
    return [parameter for parameter in parameters if not getattr(parameter, "hidden", False)]


def _print_parameters(console: Console, command: Any, context: Any, path: str) -> None:
    parameters = _shown(command.get_params(context))
    arguments = [p for p in parameters if not p.opts[0].startswith("-")]
    if arguments:
        _heading(console, "Arguments")
        for argument in arguments:
            _entry(console, argument_name(argument), (argument.help or "") + facts_of(argument))
    for panel, options in in_panels(path, [p for p in parameters if p.opts[0].startswith("-")]):
        _heading(console, panel)
        for option in options:
            _entry(console, _flags(option), (option.help or "") + facts_of(option))


def _print_examples(console: Console, path: str) -> None:
    if examples := EXAMPLES.get(path):
        _heading(console, "Examples")
        for sentence, line in examples:
            for part in Text(f"# {sentence}").wrap(console, console.width - 2):
                console.print(Text("  " + part.plain, "dim"), soft_wrap=True)
            for shell_line in _shell_lines(f"eamdeploy {line}", console.width):
                console.print(shell_line, soft_wrap=True)


def _shell_lines(command: str, width: int) -> Iterator[str]:
    """A command over several lines where it is too long for one, so that it can still be copied as it stands."""
    line = ""
    for word in re.findall(r"--\S+(?: (?!-)(?:'[^']*'|\S+))?|'[^']*'|\S+", command):
        if line and len(line) + len(word) + 5 > width:
            yield f"  {line} \\"
            line = "    " + word
        else:
            line = f"{line} {word}" if line else word
    yield f"  {line}"


def _print_commands(console: Console, group: Any, context: Any) -> None:
    panels: dict[str, list[tuple[str, str]]] = {}
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        first = _sentence(command.short_help or command.help)
        panels.setdefault(command.rich_help_panel or "Commands", []).append((name, first))
    for panel, entries in panels.items():
        _heading(console, panel)
        for name, text in entries:
            _entry(console, name, text, column=14)


def _sentence(text: str | None) -> str:
    whole = (_paragraphs(text) or [""])[0]
    return whole.split(". ")[0].rstrip(".") + "."


def _print_help(command: Any, context: Any) -> None:
    console = _console()
    path = context.command_path.partition(" ")[2]
    console.print(Text.assemble(("Usage: ", "bold"), _usage(command, context)))
    for paragraph in _paragraphs(command.help):
        console.print()
        console.print(paragraph)
    if hasattr(command, "commands"):
        _print_commands(console, command, context)
    _print_parameters(console, command, context, path)
    _print_examples(console, path)


_NO_CHOICE = re.compile(r"(?:Value error, )?'(?P<word>.*)' is not one of ")


class HelpCommand(TyperCommand):
    """A command whose help is :func:`_print_help`'s, and which names the nearest choice to a word that is none."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As Typer's; what it says of a wrong choice is said as the library says it of an unknown name."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            refused = _NO_CHOICE.match(error.message)
            known_choices = choices_of(error.param) if refused and error.param is not None else ()
            if refused and known_choices:
                error.message = f"'{refused['word']}' is no choice; {did_you_mean(refused['word'], known_choices)}"
            raise

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help on stdout."""
        del formatter
        _print_help(self, ctx)


class HelpGroup(TyperGroup):
    """A group of commands whose help is :func:`_print_help`'s."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help on stdout."""
        del formatter
        _print_help(self, ctx)


class HelpTyper(typer.Typer):
    """A Typer application whose groups and commands show the help of this module."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=HelpGroup, **settings)

    def command(self, name: str | None = None, **settings: Any) -> Any:
        """As :meth:`typer.Typer.command`, with :class:`HelpCommand`."""
        return super().command(name, **{"cls": HelpCommand, **settings})
