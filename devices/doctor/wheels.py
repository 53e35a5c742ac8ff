"""Which boards the runtimes' wheels fit."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class RuntimeWheel:
    """A runtime's aarch64 wheels.

    Attributes:
        package: name on the index.
        formats: file types that it runs.
        python_min: oldest Python, major and minor.
        python_max: newest Python, None where there is no end.
        glibc: oldest C library.
        note: which release is for what.
    """

    package: str
    formats: tuple[str, ...]
    python_min: tuple[int, int]
    python_max: tuple[int, int] | None
    glibc: tuple[int, int]
    note: str

    def fits(self, python: tuple[int, int], glibc: tuple[int, int] | None) -> bool:
        """Whether some release installs on such a board."""
        return (
            glibc is not None
            and glibc >= self.glibc
            and python >= self.python_min
            and (self.python_max is None or python <= self.python_max)
        )


@cache
def runtime_wheels() -> tuple[RuntimeWheel, ...]:
    """Every runtime's wheels."""
    text = resources.files("devices.doctor").joinpath("wheels.toml").read_text(encoding="utf-8")
    return tuple(
        RuntimeWheel(
            package=entry["package"],
            formats=tuple(entry["formats"]),
            python_min=tuple(entry["python_min"]),
            python_max=tuple(entry["python_max"]) if "python_max" in entry else None,
            glibc=tuple(entry["glibc"]),
            note=entry["note"],
        )
        for entry in tomllib.loads(text)["wheel"]
    )
