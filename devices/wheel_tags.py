"""The platform tags of wheels that a board can install (PEP 600, PEP 656)."""

from __future__ import annotations

import importlib.util

from eamdeploy.base.errors import MissingDependency

# PEP 599 and 571 names of the first tags, which many wheels still carry
_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
# the oldest C library for which wheels of these machines exist
_OLDEST_MINOR = {"aarch64": 17, "armv7l": 17, "x86_64": 5}


def manylinux_platforms(machine: str, glibc: tuple[int, int]) -> list[str]:
    """Every tag that fits, newest first. pip compares tags exactly when given by hand, so each must be named.

    Args:
        machine: as ``uname -m`` prints it.
        glibc: major and minor version of the board's C library.
    """
    major, newest = glibc
    tags = []
    for minor in range(newest, _OLDEST_MINOR.get(machine, 17) - 1, -1):
        tags.append(f"manylinux_{major}_{minor}_{machine}")
        legacy = _LEGACY.get((major, minor))
        if legacy and (machine in ("x86_64", "i686") or legacy == "manylinux2014"):
            tags.append(f"{legacy}_{machine}")
    return tags


def musllinux_platforms(machine: str, musl: tuple[int, ...]) -> list[str]:
    """As `manylinux_platforms`, for a musl C library (PEP 656).

    Args:
        machine: as ``uname -m`` prints it.
        musl: version of the board's C library.
    """
    major, newest = musl[:2]
    return [f"musllinux_{major}_{minor}_{machine}" for minor in range(newest, -1, -1)]


def require_pip() -> None:
    """Make sure that this environment has pip, which fetches wheels for other machines.

    Raises:
        MissingDependency: it has none, as an environment that uv made without ``--seed``.
    """
    if importlib.util.find_spec("pip") is None:
        hint = "install it with: python -m ensurepip, or uv pip install pip"
        raise MissingDependency("wheels for a board are fetched by pip, which this environment lacks", hint=hint)
