"""Boots an emulated board, looks at it over SSH, and reports."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from devices.boards.profiles import load_profile
from devices.doctor import read_facts
from devices.transports.emulated.image.build import build_image, cached_image
from devices.transports.emulated.machine import Machine
from devices.transports.emulated.tools import QEMU, tool
from devices.transports.emulated.transport import EmulatedTransport
from eamdeploy.base.errors import InternalError
from eamdeploy.base.progress import SILENT, Progress


@dataclass(frozen=True)
class Emulated:
    """What was booted.

    Attributes:
        device: the profile.
        cpu: qemu's CPU.
        cores: virtual cores.
        memory_mb: RAM.
        instructions: its clock counts instructions.
        build_s: seconds of building the image; None when it came from the cache.
        boot_s: seconds from switching on to a listening SSH server.
        check_s: seconds of looking at it over SSH.
        system: operating system.
        kernel: version.
        packages: Python packages and versions.
        features: CPU flags that the runtimes' kernels depend on.
        image: folder of the cached image.
        note: how the emulated CPU differs from the real one.
    """

    device: str
    cpu: str
    cores: int
    memory_mb: int
    instructions: bool
    build_s: float | None
    boot_s: float
    check_s: float
    system: str
    kernel: str
    packages: dict[str, str]
    features: tuple[str, ...]
    image: str
    note: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self) | {"provenance": "emulated", "features": list(self.features)}


def emulate(
    device: str,
    *,
    instructions: bool = False,
    progress: Progress = SILENT,
    stay: Callable[[str], None] | None = None,
) -> Emulated:
    """Build or fetch the image, boot, look, switch off.

    Args:
        device: profile.
        instructions: count instructions.
        progress: receives what is being done.
        stay: when given, it is called with a command to log in with, and the board runs until interrupted.

    Raises:
        MissingDependency: qemu or a building tool is not here, or the profile cannot be emulated.
        BoardUnreachable: it does not come up.
    """
    tool(QEMU)
    transport = EmulatedTransport(load_profile(device), instructions=instructions, progress=progress)
    started = time.monotonic()
    cached = cached_image() is not None
    build_image(progress=progress)
    build_s = None if cached else time.monotonic() - started
    return asyncio.run(_look(transport, build_s, stay))


async def _look(transport: EmulatedTransport, build_s: float | None, stay: Callable[[str], None] | None) -> Emulated:
    try:
        await transport.connect()
        started = time.monotonic()
        facts = await read_facts(transport, python="no")
        check_s = time.monotonic() - started
        machine = transport.machine
        if machine is None or machine.boot_s is None:
            raise InternalError("the emulated board is not there after connecting")
        if stay is not None:
            stay(login_command(machine))
            await asyncio.Event().wait()
        options, emulation = transport.options, transport.profile.emulation
        return Emulated(
            device=transport.profile.name,
            cpu=options.cpu,
            cores=1 if options.instructions else options.cores,
            memory_mb=options.memory_mb,
            instructions=options.instructions,
            build_s=build_s,
            boot_s=machine.boot_s,
            check_s=check_s,
            system=facts.os or "unknown",
            kernel=facts.kernel or "unknown",
            packages=machine.image.packages,
            features=tuple(sorted(facts.features)),
            image=str(machine.image.folder),
            note=emulation.note if emulation else None,
        )
    finally:
        await transport.close()


def login_command(machine: Machine) -> str:
    """The OpenSSH command that logs in to a running board, its key checked."""
    target = machine.target
    options = [
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        f"UserKnownHostsFile={target.known_hosts}",
    ]
    return shlex.join(
        ["ssh", "-i", str(target.identity), *options, "-p", str(target.port), f"{target.user}@{target.host}"]
    )
