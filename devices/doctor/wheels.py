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
        glibc: oldest GNU C library.
        musl: oldest musl C library, None where there are no wheels for any.
        note: which release is for what.
    """

    package: str
    formats: tuple[str, ...]
    python_min: tuple[int, int]
    python_max: tuple[int, int] | None
    glibc: tuple[int, int]
    musl: tuple[int, int] | None
    note: str

    def fits(self, python: tuple[int, int], glibc: tuple[int, int] | None, musl: tuple[int, ...] | None = None) -> bool:
        """Whether some release installs on such a board."""
        return (
            (
                (glibc is not None and glibc >= self.glibc)
                or (musl is not None and self.musl is not None and musl >= self.musl)
            )
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
            musl=tuple(entry["musl"]) if "musl" in entry else None,
            note=entry["note"],
        )
        for entry in tomllib.loads(text)["wheel"]
    )
