"""Reads the profiles' data files."""

from __future__ import annotations

import os
import platform
import tomllib
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from devices.boards.profiles.profile import Cpu, Emulation, Profile
from eamdeploy.base.errors import UsageError, did_you_mean

_DATA = resources.files("devices.boards.profiles").joinpath("data")
_ORDER = ("host", "pi-zero2w", "pi3b", "pi4", "pi5", "jetson-nano", "jetson-xavier-nx", "jetson-agx-xavier")


@cache
def profile_names() -> tuple[str, ...]:
    """Every profile's name: this machine, then boards from small to large."""
    names = {entry.name.removesuffix(".toml") for entry in _DATA.iterdir() if entry.name.endswith(".toml")}
    rest = sorted(names.difference(_ORDER), key=lambda name: (name.count("agx"), name))
    return (*(name for name in _ORDER if name in names), *rest)


@cache
def load_profile(name: str) -> Profile:
    """The profile called ``name``.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    if name not in profile_names():
        raise UsageError(f"no device is called '{name}'", hint=did_you_mean(name, profile_names()))
    facts: dict[str, Any] = tomllib.loads(_DATA.joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    emulation = facts.pop("emulation", None)
    profile = Profile(
        name=name,
        sources=tuple(facts.pop("sources")),
        cpu=Cpu(**facts.pop("cpu")),
        emulation=Emulation(**emulation) if emulation else None,
        **facts,
    )
    return _this_machine(profile) if name == "host" else profile


def profiles() -> tuple[Profile, ...]:
    """Every profile."""
    return tuple(load_profile(name) for name in profile_names())


def _this_machine(profile: Profile) -> Profile:
    info = _colon_lines(Path("/proc/cpuinfo"))
    core = info.get("model name") or platform.processor() or platform.machine()
    memory = _colon_lines(Path("/proc/meminfo")).get("MemTotal", "")
    ram_mb = int(memory.split()[0]) // 1024 if memory else None
    return replace(profile, cpu=Cpu(core=core, cores=os.cpu_count()), ram_mb=ram_mb)


def _colon_lines(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
