"""How Python is started: isolated, so that neither the folder it stands in nor PYTHONPATH gives it modules."""

from __future__ import annotations

from pathlib import Path

ISOLATED = "-I"
_INSTALLED = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from devices.runner.__main__ import main; sys.exit(main())"
)


def installed_runner() -> list[str]:
    """The arguments that make an isolated Python of this machine run the runner that lies beside this module."""
    return ["-c", _INSTALLED, str(Path(__file__).resolve().parents[2])]
