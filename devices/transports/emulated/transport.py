"""The emulated `devices.transports.protocol.Transport`: starts the machine, then is plain SSH."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from devices.boards.profiles import Profile
from devices.transports.emulated.image.build import build_image
from devices.transports.emulated.image.recipe import ImageRecipe
from devices.transports.emulated.machine import Machine, MachineOptions
from devices.transports.ssh import SshTarget, SshTransport
from eamdeploy.base.errors import BoardUnreachable, MissingDependency
from eamdeploy.base.progress import SILENT, Progress

if TYPE_CHECKING:
    import asyncssh

# an emulated board is slow, much slower when this machine is busy, and slowest when it counts instructions
_LOGIN_TIMEOUT_S, _SILENCE_S = 180.0, 90.0


class EmulatedTransport(SshTransport):
    """A board with a profile's CPU that exists while the transport is open.

    Attributes:
        machine: the running board, or None before `connect`.
        runner_silence_s: how long its runner and this side wait for a sign of life from each other.
    """

    runner_silence_s = 600.0
    patience = 10.0

    def __init__(
        self,
        profile: Profile,
        *,
        instructions: bool = False,
        name: str | None = None,
        silence_s: float = _SILENCE_S,
        recipe: ImageRecipe | None = None,
        progress: Progress = SILENT,
    ) -> None:
        """Prepare; nothing starts before `connect`.

        Args:
            profile: whose CPU, cores and memory.
            instructions: count instructions instead of time.
            name: for messages.
            silence_s: seconds without an answer after which it is taken for gone.
            recipe: what is on its disk, where that is not the usual.
            progress: receives what is being done.

        Raises:
            MissingDependency: qemu has no model for this profile's CPU, or it is this host.
        """
        super().__init__(
            name or f"{profile.name} (emulated)",
            SshTarget("127.0.0.1"),
            connect_timeout_s=_LOGIN_TIMEOUT_S,
            silence_s=silence_s,
            shell_limit_s=_LOGIN_TIMEOUT_S,
        )
        self.profile = profile
        self.options = machine_options(profile, instructions=instructions)
        self.machine: Machine | None = None
        self._recipe, self._progress = recipe, progress
        self._starting = asyncio.Lock()

    async def connect(self) -> None:
        """Build or fetch the image, boot, log in.

        Raises:
            MissingDependency: qemu or a building tool is not here.
            BoardUnreachable: it does not come up, or it was running and is gone.
        """
        async with self._starting:
            if self.machine is None:
                image = await asyncio.to_thread(build_image, self._recipe, progress=self._progress)
                self._progress.stage(f"booting a {self.options.cpu}")
                machine = Machine(image, self.options)
                await machine.start()
                self.machine, self.target = machine, machine.target
        await super().connect()

    async def _open(self, on_lost: Callable[[], None]) -> asyncssh.SSHClientConnection:
        """Log in; a machine that has ended is not taken for a board that refuses."""
        try:
            if self.machine is None or self.machine.pid is not None:
                return await super()._open(on_lost)
        except BoardUnreachable:
            if self.machine is None or not await self.machine.has_ended():
                raise
        raise BoardUnreachable("the emulated board has stopped", where=self.name)

    async def close(self) -> None:
        """Log out and switch the board off."""
        await super().close()
        machine, self.machine = self.machine, None
        if machine is not None:
            await machine.stop()


def machine_options(profile: Profile, *, instructions: bool = False) -> MachineOptions:
    """The machine for a profile.

    Raises:
        MissingDependency: the profile cannot be emulated.
    """
    if profile.emulation is None:
        raise MissingDependency(
            f"there is no emulated board for '{profile.name}'",
            hint="use the runtimes of this machine, or another profile",
        )
    return MachineOptions(
        cpu=profile.emulation.cpu,
        cores=max(1, min(profile.cpu.cores or 1, os.cpu_count() or 1)),
        memory_mb=profile.emulation.memory_mb,
        instructions=instructions,
    )
