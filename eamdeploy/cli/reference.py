"""The command line as one Markdown page: ``python -m eamdeploy.cli.reference docs/reference/reference.md``.

It is read from the application itself and not from its help, so it does not depend on a terminal.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from eamdeploy.base.errors import UsageError
from eamdeploy.base.files import atomic_write_text
from eamdeploy.cli.app import build_app
from eamdeploy.cli.help.examples import EXAMPLES
from eamdeploy.cli.help.panels import in_panels
from eamdeploy.cli.help.screen import choices_of, default_of, value_name

_HEAD = """# Reference

Every command with its arguments, options and defaults. This page is generated (`make docs`).

You can set an option in four places. The first one that has it counts: the flag, the environment variable (if the table names one),
`eamdeploy.toml` or `[tool.eamdeploy]` of `pyproject.toml` in the working folder, and your own configuration file.
`--json` prints one document on stdout; everything else goes to stderr. `--debug` shows a traceback if something fails.

| exit code | meaning |
|---|---|
| 0 | ok |
| 1 | internal error |
| 2 | wrong use: a wrong option, or a file that is missing or damaged |
| 3 | parity failed: a file does not compute the same function as its checkpoint |
| 4 | the gate failed |
| 5 | something could not be measured or judged: the CPU throttled, the noise was too large, or a figure is missing |
| 6 | a board cannot be reached, or the connection was lost |
| 7 | a dependency or a capability is missing |
| 130 | interrupted |
"""


def commands(group: Any, prefix: str = "eamdeploy") -> Iterator[tuple[str, Any]]:
    """Full name and object of every command below ``group``, in the order of the help."""
    for name, command in group.commands.items():
        full = f"{prefix} {name}"
        if getattr(command, "hidden", False):
            continue
        below = hasattr(command, "commands")
        if not below or command.invoke_without_command:
            yield full, command
        if below:
            yield from commands(command, full)


def flags(command: Any) -> set[str]:
    """Every spelling of every option of a command, ``--help`` included."""
    names = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    return {name for name in names if name.startswith("-")} | {"--help", "-h", "--debug", "--wide"}


def render_reference() -> str:
    """The page."""
    root = typer.main.get_command(build_app())
    all_commands = list(commands(root))
    parts = [_HEAD]
    parts += [
        f"* [`{name}`](#{_anchor(name)}): {_text(command.help).splitlines()[0]}" for name, command in all_commands
    ]
    parts += [_section("eamdeploy", root)]
    parts += [_section(name, command) for name, command in all_commands]
    return "\n".join(parts)


def _section(name: str, command: Any) -> str:
    visible_options = [option for option in command.params if not getattr(option, "hidden", False)]
    arguments = [option for option in visible_options if not option.opts[0].startswith("-")]
    options = [option for option in visible_options if option.opts[0].startswith("-")]
    usage = [name, *(_usage(argument) for argument in arguments)]
    usage += [f"{option.opts[0]} {value_name(option)}" for option in options if option.required]
    optional = "[COMMAND]" if name == "eamdeploy" else "[OPTIONS]"
    parts = [f"\n## {name}\n", f"    {' '.join([*usage, optional])}\n", _text(command.help)]
    if arguments:
        parts += ["\n| argument | |", "|---|---|"]
        parts += [f"| `{_usage(argument)}` | {_cell(argument)} |" for argument in arguments]
    path = name.partition(" ")[2]
    for panel, panel_options in in_panels(path, options):
        parts += [f"\n**{panel}**\n", "| option | default | |", "|---|---|---|"]
        parts += [f"| {_spelling(option)} | {_default(option)} | {_cell(option)} |" for option in panel_options]
    if examples := EXAMPLES.get(path):
        parts += ["\n```console", *(f"# {sentence}\neamdeploy {line}" for sentence, line in examples), "```"]
    return "\n".join(parts) + "\n"


def _usage(argument: Any) -> str:
    word = (argument.metavar or argument.name.upper()).strip("[].…") + ("…" if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _spelling(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    if option.is_flag:
        return " / ".join([names, *(f"`{name}`" for name in option.secondary_opts)])
    kind = value_name(option)
    # brackets would be read as the start of a link
    return f"{names} {f'`{kind}`' if '[' in kind else kind}"


def _default(option: Any) -> str:
    if option.required:
        return "required"
    value = default_of(option)
    return "" if value is None else f"`{value}`"


def _cell(option: Any) -> str:
    sentences = [_text(option.help or "").replace("\n", " ")]
    if choices := choices_of(option):
        sentences.append("One of " + ", ".join(f"`{choice}`" for choice in choices) + ".")
    low, high = option.min, option.max
    if low is not None or high is not None:
        sentences.append(
            f"From {low} to {high}." if None not in (low, high) else f"From {low}." if high is None else f"To {high}."
        )
    if getattr(option, "multiple", False):
        sentences.append("May be given several times.")
    if option.envvar:
        names = [option.envvar] if isinstance(option.envvar, str) else option.envvar
        sentences.append("Also " + ", ".join(f"`{name}`" for name in names) + ".")
    return " ".join(filter(None, sentences)).replace("|", "\\|")


def _text(help_text: str | None) -> str:
    """A docstring as Markdown: paragraphs, and what would be read as markup escaped."""
    text = inspect.cleandoc(help_text or "").replace("\b", "").replace("\f", "")
    return text.replace("<", "&lt;").replace("*", "\\*").replace("[", "\\[")


def _anchor(name: str) -> str:
    return name.replace(" ", "-")


def main(arguments: list[str]) -> None:
    """Write the page to the path given.

    Raises:
        UsageError: without a path.
    """
    if len(arguments) != 1:
        raise UsageError("the reference needs one path to be written to", hint="e.g. docs/reference/reference.md")
    atomic_write_text(Path(arguments[0]), render_reference())


if __name__ == "__main__":
    main(sys.argv[1:])
