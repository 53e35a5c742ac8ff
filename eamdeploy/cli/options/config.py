"""Settings: a flag beats ``EAMDEPLOY_*``, which beats ``./eamdeploy.toml`` (or ``[tool.eamdeploy]``), which beats the user's file.

A settings file has a table per command, whose keys are the command's options with ``_`` for ``-``::

    [bench]
    device = "pi4"
    threads = 4
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.options.settings import checked

LIMIT_BYTES = 1024 * 1024
_WHAT = "cannot read the settings file"


@dataclass(frozen=True)
class SettingsFile:
    """A file of settings.

    Attributes:
        path: where it is.
        content: its tables.
        project: the folder of a project that brought it along; None for a file that the user wrote or named.
    """

    path: Path
    content: dict[str, Any]
    project: Path | None = None


def user_file() -> Path:
    """The user's own settings file."""
    import platformdirs

    return Path(platformdirs.user_config_dir("eamdeploy")) / "config.toml"


def sources(explicit: str | None = None) -> list[tuple[Path, dict[str, Any]]]:
    """The settings files that apply, the strongest first, with their contents.

    Raises:
        UsageError: for a file that cannot be read, or an explicit one that is missing.
    """
    return [(file.path, file.content) for file in settings_files(explicit)]


def settings_files(explicit: str | None = None) -> list[SettingsFile]:
    """As :func:`sources`, with what a project brought told apart from what is the user's."""
    files = []
    if explicit is not None:
        files.append(SettingsFile(Path(explicit), _read(Path(explicit))))
    else:
        local, project = Path("eamdeploy.toml"), Path("pyproject.toml")
        if local.is_file():
            files.append(SettingsFile(local, _read(local), Path.cwd()))
        elif project.is_file() and (table := _own_table(project)):
            files.append(SettingsFile(project, table, Path.cwd()))
    if user_file().is_file():
        files.append(SettingsFile(user_file(), _read(user_file())))
    return files


def default_map(command: Any, explicit: str | None = None) -> dict[str, Any]:
    """Defaults per command, merged from all files, in the form Click takes.

    Args:
        command: the root command, whose options say what may be set.
        explicit: the file named with ``--config``.

    Raises:
        UsageError: a command, an option or a type is unknown, or a project asks for what only its user may.
    """
    merged: dict[str, Any] = {}
    for file in reversed(settings_files(explicit)):
        for name, table in checked(command, file.content, where=file.path, project=file.project).items():
            merged.setdefault(name, {}).update(table)
    return merged


def _own_table(path: Path) -> dict[str, Any]:
    tool = _read(path).get("tool")
    table = tool.get("eamdeploy", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UsageError("'tool.eamdeploy' must be a table", where=path)
    return table


def _read(path: Path) -> dict[str, Any]:
    from eamdeploy.base.decoding import read_limited

    content = read_limited(path, LIMIT_BYTES, what=_WHAT)
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(_WHAT, where=path, why=error) from error
    except RecursionError as error:
        raise UsageError(_WHAT, where=path, why="it is nested too deep") from error
