"""Boots an image in qemu and stops it again; the machine dies with this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from devices.transports.emulated.image.build import Image
from devices.transports.emulated.image.keys import write_known_hosts
from devices.transports.emulated.image.rootfs import BOARD_USER
from devices.transports.emulated.tools import QEMU, tool
from devices.transports.ssh import SshTarget
from eamdeploy.base.errors import BoardUnreachable

_READY = "eamdeploy: board is ready"
_CONSOLE_LINES = 60
_PORT_TRIES = 3
# What guards a kernel against its own programs costs an emulated board time to start: with its address space
# randomised it also unmaps itself at every system call, and each time qemu forgets its translations of addresses.
# So do the self-tests of its ciphers. None of it changes what a program computes.
_KERNEL_ARGUMENTS = "console=ttyAMA0 quiet panic=-1 nokaslr kpti=off mitigations=off cryptomgr.notests"


@dataclass(frozen=True)
class MachineOptions:
    """What is booted.

    Attributes:
        cpu: qemu's name of the CPU.
        cores: virtual cores; 1 with ``instructions``.
        memory_mb: RAM.
        instructions: the guest's clock counts instructions, 1 ns each: durations are the same on every boot, and no
            times at all.
    """

    cpu: str = "cortex-a72"
    cores: int = 2
    memory_mb: int = 2048
    instructions: bool = False


class Machine:
    """A running board: ``await start()``, then log in at `target`.

    Attributes:
        boot_s: seconds from start to a listening SSH server.
    """

    def __init__(self, image: Image, options: MachineOptions | None = None, *, boot_timeout_s: float = 600.0) -> None:
        self.image = image
        self.options = options or MachineOptions()
        self.boot_s: float | None = None
        self._boot_timeout_s = boot_timeout_s
        self._process: asyncio.subprocess.Process | None = None
        self._console: deque[str] = deque(maxlen=_CONSOLE_LINES)
        self._reading: asyncio.Task[None] | None = None
        self._folder: Path | None = None
        self._port = 0

    @property
    def pid(self) -> int | None:
        """qemu's process, or None when it does not run."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def has_ended(self, within_s: float = 3.0) -> bool:
        """Whether it runs no more; a process that was killed just now is given a moment to be seen as ended."""
        if self._process is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), within_s)
        return self.pid is None

    @property
    def console_tail(self) -> str:
        """The last lines of the serial console."""
        return "\n".join(self._console)

    @property
    def target(self) -> SshTarget:
        """Where to log in; only this board's own key is accepted, and no configuration of the user's plays a part."""
        if self._folder is None:
            raise BoardUnreachable("the emulated board is not running")
        return SshTarget(
            host="127.0.0.1",
            user=BOARD_USER,
            port=self._port,
            identity=self.image.identity,
            known_hosts=self._folder / "known_hosts",
            config=None,
        )

    async def start(self) -> None:
        """Boot and wait until the SSH server listens.

        Raises:
            MissingDependency: qemu is not installed.
            BoardUnreachable: it did not come up; the console's end is in the message.
        """
        if self.pid is not None:
            return
        for last in (False,) * (_PORT_TRIES - 1) + (True,):
            started = time.monotonic()
            try:
                await self._boot()
            except BoardUnreachable as error:
                await self.stop()
                # between choosing a free port and qemu's opening it somebody else may have taken it
                if last or "host forwarding" not in str(error):
                    raise
            else:
                self.boot_s = time.monotonic() - started
                return

    async def stop(self) -> None:
        """Switch it off; does nothing when it is off."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()
        if self._reading is not None:
            await self._reading
            self._reading = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def send_signal(self, number: int) -> None:
        """Send qemu a signal: SIGSTOP freezes the board, SIGKILL cuts its power."""
        if self._process is not None:
            self._process.send_signal(number)

    async def _boot(self) -> None:
        self._port = _free_port()
        self._console.clear()
        self._folder = Path(tempfile.mkdtemp(prefix="eamdeploy-board-"))
        write_known_hosts(self._folder / "known_hosts", self.image.host_public, port=self._port)
        ready = asyncio.Event()
        self._process = await asyncio.create_subprocess_exec(  # noqa: TID251 - the emulator
            *self._command(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # qemu's snapshot files go where the board's other files are, and Ctrl-C is ours to handle
            env={**os.environ, "TMPDIR": str(self._folder)},
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read_console(self._process, ready))
        try:
            async with asyncio.timeout(self._boot_timeout_s):
                await ready.wait()
        except TimeoutError as error:
            raise BoardUnreachable(
                "the emulated board did not come up",
                why=f"no SSH server after {self._boot_timeout_s:g} s",
                hint="is this machine very busy? try again",
            ) from error
        except asyncio.CancelledError:
            await self.stop()
            raise
        if self.pid is None:
            raise BoardUnreachable("the emulated board did not start", where=QEMU, why=" / ".join(self._console))

    async def _read_console(self, process: asyncio.subprocess.Process, ready: asyncio.Event) -> None:
        if process.stdout is not None:
            async for line in process.stdout:
                text = line.decode(errors="replace").strip()
                self._console.append(text)
                if _READY in text:
                    ready.set()
        await process.wait()
        ready.set()  # it ended: whoever waits must look

    def _command(self) -> list[str]:
        options, image = self.options, self.image
        # instructions are counted on one core, by one thread
        cores, accel = (1, "tcg") if options.instructions else (options.cores, "tcg,thread=multi")
        argv = [tool("setpriv"), "--pdeathsig", "KILL", tool(QEMU), "-M", "virt", "-cpu", options.cpu]
        argv += ["-smp", str(cores), "-m", str(options.memory_mb), "-accel", accel]
        if options.instructions:
            argv += ["-icount", "shift=0"]
        argv += ["-kernel", str(image.kernel), "-initrd", str(image.ram_disk)]
        argv += ["-append", _KERNEL_ARGUMENTS]
        argv += ["-drive", f"file={_escaped(image.disk)},if=none,format=raw,id=d0,snapshot=on"]
        argv += ["-device", "virtio-blk-pci,drive=d0"]
        # restrict=on: the board reaches nothing but this machine's SSH client
        argv += ["-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{self._port}-:22,restrict=on"]
        argv += ["-device", "virtio-net-pci,netdev=n0,romfile=", "-nographic", "-no-reboot", "-monitor", "none"]
        return [*argv, "-serial", "stdio"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")  # qemu's way to write a comma in an option
