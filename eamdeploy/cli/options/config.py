"""Settings: a flag beats ``EAMDEPLOY_*``, which beats ``./eamdeploy.toml`` (or ``[tool.eamdeploy]``), which beats the user's file.

A settings file has a table per command, whose keys are the command's options with ``_`` for ``-``::

    [bench]
    device = "pi4"
    threads = 4
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from eamdeploy.base.errors import UsageError


def user_file() -> Path:
    """The user's own settings file."""
    import platformdirs

    return Path(platformdirs.user_config_dir("eamdeploy")) / "config.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("cannot read the settings file", where=path, why=error) from error
    except OSError as error:
        raise UsageError("cannot read the settings file", where=path, why=error.strerror) from error


def sources(explicit: str | None = None) -> list[tuple[Path, dict[str, Any]]]:
    """The settings files that apply, the strongest first, with their contents.

    Raises:
        UsageError: for a file that cannot be read, or an explicit one that is missing.
    """
    found = []
    if explicit is not None:
        found.append((Path(explicit), _read(Path(explicit))))
    else:
        local, project = Path("eamdeploy.toml"), Path("pyproject.toml")
        if local.is_file():
            found.append((local, _read(local)))
        elif project.is_file() and (table := _read(project).get("tool", {}).get("eamdeploy")):
            found.append((project, table))
    if user_file().is_file():
        found.append((user_file(), _read(user_file())))
    return found


def default_map(explicit: str | None = None) -> dict[str, Any]:
    """Defaults per command, merged from all files, in the form Click takes."""
    merged: dict[str, Any] = {}
    for path, content in reversed(sources(explicit)):
        for command, table in content.items():
            if not isinstance(table, dict):
                raise UsageError(f"'{command}' in the settings file must be a table", where=path)
            merged.setdefault(command, {}).update({key.replace("-", "_"): value for key, value in table.items()})
    return merged
