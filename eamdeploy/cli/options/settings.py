"""Settings held against the options that there are: names, types, and what a project may ask of its user's machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import UsageError, did_you_mean

# options that name a file or a folder that is written
_WRITTEN = ("out", "junit", "sarif", "markdown", "store")
# what turns a command into another one, or changes what the user trusts: only by a flag, or in the user's own file
_USERS_OWN = (
    ("gate", "write_baseline"),
    ("devices", "add"),
    ("devices", "trust"),
    ("devices", "remove"),
    ("devices", "setup"),
)
_KINDS = {
    "flag": ((bool,), "true or false"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
    "text": ((str, int, float), "a text"),  # such as "1,2,4", where a plain 4 is meant as well
    "path": ((str,), "a text"),
}


def checked(command: Any, content: Mapping[str, Any], *, where: Path, project: Path | None) -> dict[str, Any]:
    """The settings by the parameters' own names, in the form Click takes.

    Args:
        command: a group of commands.
        content: a table a command.
        where: the file, for errors.
        project: the folder of the project that brought the file; None for the user's own.

    Raises:
        UsageError: something is unknown, of a wrong type, or not for a project to decide.
    """
    return _group(command, content, where, project, ())


def _group(
    command: Any, content: Mapping[str, Any], where: Path, project: Path | None, path: tuple[str, ...]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    options = _options(command) if path else {}
    for key, value in content.items():
        place = f"{where}, [{'.'.join(path)}]" if path else str(where)
        name = key.replace("-", "_")
        if project is not None and (*path, name) in _USERS_OWN:
            hint = "give the flag, or put it into your own settings file"
            raise UsageError(f"a project's settings cannot decide '{'.'.join((*path, key))}'", where=place, hint=hint)
        inner = getattr(command, "commands", {}).get(key)
        if inner is not None and isinstance(value, dict):
            values[key] = _group(inner, value, where, project, (*path, key))
        elif name in options:
            option = options[name]
            _check_type(key, value, option, place)
            if project is not None and name in _WRITTEN:
                _check_inside(key, value, project, place)
            values[option.name] = _as_given(value, option)
        else:
            known_names = [*getattr(command, "commands", {}), *options]
            what = "setting" if path else "command"
            if inner is not None:
                raise UsageError(f"'{key}' must be a table", where=place, hint=f"write [{'.'.join((*path, key))}]")
            raise UsageError(f"unknown {what} '{key}'", where=place, hint=did_you_mean(name, known_names))
    return values


def _options(command: Any) -> dict[str, Any]:
    """The options of a command by their long names, with ``_`` for ``-``."""
    values = {}
    for parameter in command.params:
        for option in getattr(parameter, "opts", []):
            if option.startswith("--") and option != "--help":
                values[option[2:].replace("-", "_")] = parameter
    return values


def _check_type(key: str, value: Any, option: Any, where: str) -> None:
    allowed, words = _KINDS[_kind(option)]
    if getattr(option, "multiple", False):
        values, words = value if isinstance(value, list) else None, f"a list, each {words}"
    else:
        values = [value]
    if values is None or not all(isinstance(each, allowed) and _is_bool(each) == (bool in allowed) for each in values):
        raise UsageError(f"'{key}' must be {words}", where=where, why=f"it is {value!r}"[:200])


def _as_given(value: Any, option: Any) -> Any:
    """The value as it would be written on the command line, where that is a text."""
    if _kind(option) != "text":
        return value
    return [str(each) for each in value] if isinstance(value, list) else str(value)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _kind(option: Any) -> str:
    if getattr(option, "is_flag", False):
        return "flag"
    # newer versions of typer keep the annotation, older ones Click's type
    described = getattr(getattr(option, "type_descriptor", None), "annotation", None)
    name = str(getattr(getattr(option, "type", None), "name", described))
    words = set(re.findall(r"[A-Za-z]+", name.partition("Literal")[0]))  # not the words of a choice
    if "float" in words:
        return "number"
    if words & {"int", "integer"}:
        return "integer"
    return "path" if "Path" in name or name in ("path", "file", "directory") else "text"


def _check_inside(key: str, value: Any, project: Path, where: str) -> None:
    for name in value if isinstance(value, list) else [value]:
        if not (project / Path(name).expanduser()).resolve().is_relative_to(project.resolve()):
            why = f"'{name}' lies outside of the project, {project}"
            raise UsageError(
                f"a project's settings cannot set '{key}'", where=where, why=why, hint=f"give it with --{key}"
            )
