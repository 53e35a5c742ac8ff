"""A run on a board, seen from the host: push the runner, start it, ask it for things, leave nothing behind."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import posixpath
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devices.runner import wire
from devices.runner.bundle import NAME, bundle
from devices.runner.start import installed_runner
from devices.session.errors import from_answer, runner_ended, worker_ended
from devices.transports.protocol import Stream, Transport
from eamdeploy.base.errors import BoardUnreachable, EamdeployError
from runtimes.protocol import RuntimeOptions
from runtimes.readers.artifact_files import artifact_sha256, external_files

PING_EVERY_S = 10.0
SILENCE_S = 60.0
_GOODBYE_S = 5.0
_CLEANUP_S = 15.0


class BoardSession:
    """The runner on a board, from its start to its end; use as an asynchronous context manager.

    Args:
        transport: the way to the board; connected here, closed by its owner.
        installed: run the ``devices.runner`` that is installed beside this one instead of the pushed file. Only for
            this machine, where it brings the runtimes that never go to a board (PyTorch).
        silence_s: seconds without a sign of life after which either side takes the other for lost; left out, the
            transport's own ``runner_silence_s`` (an emulated board is slow when this machine is busy), else a minute.
    """

    def __init__(self, transport: Transport, *, installed: bool = False, silence_s: float | None = None) -> None:
        self.transport = transport
        self._installed = installed
        own: float = getattr(transport, "runner_silence_s", SILENCE_S)
        self._silence_s = own if silence_s is None else silence_s
        self._ids = itertools.count(1)
        self._pending: dict[int, tuple[str | None, asyncio.Future[dict[str, Any]]]] = {}
        self._ready: asyncio.Future[dict[str, Any]] | None = None
        self._failure: EamdeployError | None = None
        self._stream: Stream | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._noise: list[str] = []
        self._heard = 0.0
        self._pushed: dict[str, str] = {}
        self.names: dict[str, str] = {}  # what a file is called on the board -> what the user calls it
        self.workdir = ""

    async def __aenter__(self) -> Self:
        """Connect, push and start.

        Raises:
            BoardUnreachable: the board cannot be reached.
            MissingDependency: there is no Python 3.9 or later.
        """
        await self.transport.connect()
        self.workdir = await self.transport.workdir()
        try:
            await self._start()
        except BaseException:
            await self._end(graceful=False)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the runner and everything it started, and remove its folder."""
        await self._end(graceful=kind is None)

    @property
    def alive(self) -> bool:
        """Whether the runner still answers."""
        return self._failure is None

    async def facts(self) -> dict[str, str]:
        """What the machine is; see `devices.runner.facts`."""
        return dict((await self.request("facts"))["facts"])

    async def conditions(self) -> dict[str, Any]:
        """Sensor readings now."""
        answer = await self.request("conditions")
        return dict(answer["conditions"])

    async def push(self, path: Path) -> str:
        """Bring a file, and the files beside it that hold its weights, to the board's folder, once; returns its path there."""
        digest = await asyncio.to_thread(artifact_sha256, path)
        if digest not in self._pushed:
            beside = external_files(path)
            # the model names those files, so they keep their names, in a folder of its own
            name = f"{digest[:16]}{path.suffix}"
            remote = f"{self.workdir}/{digest[:16]}/{name}" if beside else f"{self.workdir}/{name}"
            for file in beside:
                there = f"{posixpath.dirname(remote)}/{file.relative_to(path.parent).as_posix()}"
                await self.transport.run(["mkdir", "-p", "--", posixpath.dirname(there)])
                await self.transport.push(file, there)
            await self.transport.push(path, remote)
            self._pushed[digest] = remote
        self.names[self._pushed[digest]] = str(path)
        return self._pushed[digest]

    async def push_bytes(self, content: bytes, name: str) -> str:
        """Bring bytes to the board's folder under a name that is not yet there; returns the path."""
        remote = f"{self.workdir}/{name}"
        with tempfile.TemporaryDirectory(prefix="eamdeploy-") as folder:
            local = Path(folder, "content")
            local.write_bytes(content)
            await self.transport.push(local, remote)
        return remote

    def worker(self) -> Worker:
        """A fresh process on the board; use as an asynchronous context manager."""
        return Worker(self, f"w{next(self._ids)}")

    async def tell(self, message: Mapping[str, Any]) -> None:
        """Send a message that has no answer."""
        if self._failure is not None:
            raise self._failure
        if self._stream is None:
            raise EamdeployError("the session is not open")
        await self._stream.send(json.dumps(dict(message)))

    async def request(self, operation: str, *, worker: str | None = None, **values: Any) -> dict[str, Any]:
        """Send a message and wait for its answer.

        Raises:
            EamdeployError: what went wrong on the board, as the error it is.
            BoardUnreachable: the link was lost.
            MeasurementError: the process on the board was killed or crashed.
        """
        number = next(self._ids)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[number] = (worker, future)
        try:
            await self.tell({"op": operation, "id": number, **({"worker": worker} if worker else {}), **values})
            return await future
        finally:
            self._pending.pop(number, None)

    async def _start(self) -> None:
        runner = installed_runner() if self._installed else [await self.push_bytes(bundle(), NAME)]
        command = [*self.transport.python, *runner, "--workdir", self.workdir, "--silence", f"{self._silence_s:g}"]
        loop = asyncio.get_running_loop()
        self._ready, self._heard = loop.create_future(), loop.time()
        self._stream = await self.transport.stream(command)
        self._tasks = [asyncio.create_task(self._listen(self._stream)), asyncio.create_task(self._keep_alive())]
        await self._ready

    async def _listen(self, stream: Stream) -> None:
        failure: EamdeployError
        try:
            async for line in stream:
                self._heard = asyncio.get_running_loop().time()
                message = wire.decode(line)
                if message is None:
                    self._noise = [*self._noise[-4:], line]
                else:
                    self._dispatch(message, stream)
            status = await stream.wait()
            failure = runner_ended(self.transport.name, status, stream.stderr_tail, self._noise)
        except EamdeployError as error:
            failure = error
        self._fail(failure)

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        while self._failure is None:
            await asyncio.sleep(min(PING_EVERY_S, self._silence_s / 4))
            quiet = loop.time() - self._heard
            if quiet > self._silence_s:
                why = f"nothing was heard from it for {quiet:.0f} s"
                self._fail(BoardUnreachable("the board fell silent", where=self.transport.name, why=why))
                return
            try:
                await self.tell({"op": "ping"})
            except EamdeployError as error:
                self._fail(error)

    def _dispatch(self, message: dict[str, Any], stream: Stream) -> None:
        event = message.get("event")
        if event == "ready" and self._ready is not None and not self._ready.done():
            self._ready.set_result(message)
        elif event == "ended":
            failure = worker_ended(self.transport.name, int(message["status"]), stream.stderr_tail)
            for worker, future in list(self._pending.values()):
                if worker == message["worker"] and not future.done():
                    future.set_exception(failure)
        elif event in ("result", "error"):
            entry = self._pending.get(message["id"])
            if entry is None or entry[1].done():
                return
            if event == "result":
                entry[1].set_result(message)
            else:
                entry[1].set_exception(from_answer(message, self.transport.name, self.names))

    def _fail(self, failure: EamdeployError) -> None:
        self._failure = self._failure or failure
        waiting = [future for _, future in self._pending.values()]
        if self._ready is not None:
            waiting.append(self._ready)
        for future in waiting:
            if not future.done():
                future.set_exception(self._failure)

    async def _end(self, *, graceful: bool) -> None:
        # shielded: Ctrl-C in the middle of cleaning up must not leave half of it on the board
        await asyncio.shield(asyncio.wait_for(self._end_now(graceful=graceful), _CLEANUP_S + _GOODBYE_S))

    async def _end_now(self, *, graceful: bool) -> None:
        stream, lost = self._stream, isinstance(self._failure, BoardUnreachable)
        if stream is not None:
            if graceful and self._failure is None:
                with contextlib.suppress(EamdeployError, TimeoutError):
                    await self.tell({"op": "exit"})
                    await asyncio.wait_for(asyncio.shield(self._tasks[0]), _GOODBYE_S)
            await stream.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not lost and self.workdir:
            # the runner removes its folder itself; this is for one that was killed
            with contextlib.suppress(EamdeployError, TimeoutError):
                await asyncio.wait_for(self.transport.remove(self.workdir), _CLEANUP_S)


class Worker:
    """One process on the board that holds one artifact."""

    def __init__(self, session: BoardSession, name: str) -> None:
        self._session, self._name = session, name

    async def __aenter__(self) -> Self:
        """Start the process."""
        await self._session.tell({"op": "start", "worker": self._name})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        with contextlib.suppress(EamdeployError):
            await self._session.tell({"op": "stop", "worker": self._name})

    async def load(self, remote: str, runtime: str, options: RuntimeOptions) -> dict[str, Any]:
        """Load a file that was pushed; the answer holds versions, load times, inputs and outputs."""
        return await self._ask("load", artifact=remote, runtime=runtime, options=asdict(options))

    async def measure(self, *, batch: int = 1, **limits: float) -> dict[str, Any]:
        """Time it; ``limits`` are those of `devices.runner.timing.Limits`."""
        return await self._ask("measure", batch=batch, limits=limits)

    async def infer(
        self, pixels: bytes, shape: Sequence[int], scale: list[float], shift: list[float], output: str | None = None
    ) -> dict[str, Any]:
        """Run a shard of images, uint8 (N, H, W, C); see `devices.runner.inference`."""
        encoded = base64.b64encode(pixels).decode()
        return await self._ask("infer", pixels=encoded, images=list(shape), scale=scale, shift=shift, output=output)

    async def profile(self, inferences: int, *, batch: int = 1) -> list[dict[str, Any]]:
        """Time per operator; the artifact must have been loaded with ``profile=True``."""
        return list((await self._ask("profile", inferences=inferences, batch=batch))["operators"])

    async def _ask(self, operation: str, **values: Any) -> dict[str, Any]:
        return await self._session.request(operation, worker=self._name, **values)
