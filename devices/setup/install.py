"""The whole installation on a board."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from devices.doctor import BoardFacts, read_facts
from devices.doctor.checks.python import unfit
from devices.doctor.wheels import runtime_wheels
from devices.session.answers import decode_answer
from devices.setup.download import download_wheels
from devices.setup.environment import ENVIRONMENT_PYTHON, FreshEnvironment, fresh_environment
from devices.setup.prove import prove
from devices.transports.protocol import CompletedCommand, Transport
from eamdeploy.base.errors import BoardUnreachable, MeasurementError, MissingDependency
from eamdeploy.base.progress import SILENT, Progress
from eamdeploy.base.values import Name

_LIMIT_S = 1800.0
_LAST_LINES = 3
_RUNTIMES = tuple(wheel.package for wheel in runtime_wheels())


@dataclass(frozen=True)
class Installed:
    """What an installation left on the board.

    Attributes:
        python: the environment's Python, an absolute path on the board that stays the same from setup to setup.
        offline: the wheels came from this machine.
        packages: version by package name.
    """

    python: str
    offline: bool
    packages: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


async def set_up(
    transport: Transport,
    *,
    runtimes: Sequence[str] = (),
    offline: bool | None = None,
    progress: Progress = SILENT,
) -> Installed:
    """Make the board able to run artifacts; what it could run before stays in place until the new can run a model.

    Args:
        transport: the board.
        runtimes: packages such as ``onnxruntime``; every one that fits when left out.
        offline: True brings wheels from this machine, False uses the board's own index; None tries the index first.
        progress: receives what is being done.

    Raises:
        MissingDependency: no Python there, nothing fits, the disk is full, or the installation failed.
        BoardUnreachable: the link was lost.
    """
    await transport.connect()
    progress.stage("looking at the board")
    facts = await read_facts(transport, python="version")
    if facts.python is None and transport.python[0].endswith(f"/{ENVIRONMENT_PYTHON}"):
        transport.python = ("python3", "-I")  # what an earlier setup made no longer starts: Python was upgraded there
        facts = await read_facts(transport, python="version")
    requirements = ("numpy<2" if "tflite-runtime" in runtimes else "numpy", *_chosen(facts, runtimes, transport.name))
    async with fresh_environment(transport, facts.home or "~") as fresh:
        progress.stage(f"building {fresh.python}")
        offline = await _install(
            transport, facts, fresh=fresh, requirements=requirements, offline=offline, progress=progress
        )
        packages = await _packages(transport, fresh.python, requirements)
        for package in packages:
            if package in _RUNTIMES:
                progress.stage(f"running a model with {package}")
                await prove(transport, fresh, package)
        python = await fresh.take_over()
    return Installed(python=python, offline=offline, packages=packages)


async def _install(
    transport: Transport,
    facts: BoardFacts,
    *,
    fresh: FreshEnvironment,
    requirements: Sequence[str],
    offline: bool | None,
    progress: Progress,
) -> bool:
    """Install by either way; returns whether the wheels came from here."""
    if not offline:
        progress.stage("asking the board's own index")
        try:
            await _install_online(transport, fresh, requirements)
        except MissingDependency as error:
            if offline is not None:
                raise
            progress.stage(f"the board reaches no index ({error.why}); bringing wheels from here")
        else:
            return False
    await _install_offline(transport, facts, fresh, requirements, progress)
    return True


def _chosen(facts: BoardFacts, runtimes: Sequence[str], name: str) -> tuple[str, ...]:
    if facts.home_silent:
        hint = "check the network and the server that the home folder is on"
        raise BoardUnreachable("the board's home folder does not answer", where=name, hint=hint)
    if facts.python is None:
        hint = "install it: sudo apt-get install python3 python3-venv"
        raise MissingDependency("there is no Python on the board", where=name, why=facts.python_error, hint=hint)
    if (why := unfit(facts)) is not None:
        hint = "'eamdeploy devices check' says what to do"
        raise MissingDependency("no runtime has wheels for the board", where=name, why=why, hint=hint)
    if facts.home in facts.noexec:
        # found out here: each package would be brought and unpacked before the first fails to load
        why, hint = f"{facts.home} is mounted noexec", "mount it without noexec"
        raise MissingDependency("nothing that is installed on the board can be loaded", where=name, why=why, hint=hint)
    if runtimes:
        return tuple(runtimes)
    fitting = [wheel.package for wheel in runtime_wheels() if wheel.fits(facts.python.release, facts.glibc, facts.musl)]
    # ai-edge-litert is tflite-runtime's successor: the old one only where nothing else fits, as it wants numpy<2
    return tuple(name for name in fitting if name != "tflite-runtime") or ("tflite-runtime", "numpy<2")


async def _install_online(transport: Transport, fresh: FreshEnvironment, requirements: Sequence[str]) -> None:
    pip = [fresh.home, "-I", "-m", "pip"]
    if not (await transport.run([*pip, "--version"])).ok:
        raise MissingDependency("nothing can be installed from an index", where=transport.name, why="there is no pip")
    argv = ["env", f"TMPDIR={fresh.scratch}", *pip, "--python", fresh.python, "install"]
    argv += ["--quiet", "--no-input", "--disable-pip-version-check"]
    done = await transport.run(
        [*argv, "--only-binary=:all:", "--retries", "1", "--timeout", "15", *requirements], timeout_s=_LIMIT_S
    )
    if not done.ok:
        raise _failed("the board's index could not provide the packages", done, transport.name)


async def _install_offline(
    transport: Transport,
    facts: BoardFacts,
    fresh: FreshEnvironment,
    requirements: Sequence[str],
    progress: Progress,
) -> None:
    with tempfile.TemporaryDirectory(prefix="eamdeploy-wheels-") as scratch:
        progress.stage("downloading wheels for the board's tags")
        wheels = await asyncio.to_thread(download_wheels, requirements, facts, Path(scratch))
        for wheel in wheels:
            progress.stage(f"pushing {wheel.name}")
            await transport.push(wheel, f"{fresh.scratch}/{wheel.name}")
        progress.stage("installing")
        pip = next(wheel.name for wheel in wheels if wheel.name.startswith("pip-"))
        # a wheel of pip runs without being installed, so the board needs none of its own
        argv = ["env", f"TMPDIR={fresh.scratch}", fresh.python, "-I", f"{fresh.scratch}/{pip}/pip", "install"]
        argv += ["--quiet", "--no-input", "--no-index", "--disable-pip-version-check", "--no-compile", "--no-cache-dir"]
        done = await transport.run([*argv, "--find-links", fresh.scratch, *requirements], timeout_s=_LIMIT_S)
        if not done.ok:
            raise _failed("the wheels could not be installed on the board", done, transport.name)


async def _packages(transport: Transport, python: str, requirements: Sequence[str]) -> dict[str, str]:
    names = [requirement.split("<")[0].split("=")[0] for requirement in requirements]
    code = "import sys, json, importlib.metadata as m; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    done = await transport.run([python, "-I", "-c", code, *names])
    if not done.ok:
        raise _failed("the installed packages cannot be read back", done, transport.name)
    versions = decode_answer(dict[Name, Name], done.text, board=transport.name)
    if set(versions) != set(names):
        why = f"versions of {sorted(versions)} where {sorted(names)} were asked for"
        raise MeasurementError("the board's answer cannot be used", where=transport.name, why=why)
    return versions


def _failed(what: str, result: CompletedCommand, name: str) -> MissingDependency:
    error_lines = [line for line in result.error_text.splitlines() if line.strip()]
    errors = [line for line in error_lines if "rror" in line] or error_lines
    hint = "free some space there (df -h, df -i)" if "No space left" in result.error_text else None
    return MissingDependency(what, where=name, why=" / ".join(errors[-_LAST_LINES:]) or None, hint=hint)
