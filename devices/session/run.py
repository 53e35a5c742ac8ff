"""A run on a board, seen from the host: push the runner, start it, ask it for things, leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import posixpath
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devices.runner.bundle import NAME, bundle
from devices.runner.start import installed_runner
from devices.session.deadlines import Deadlines
from devices.session.errors import from_answer, runner_ended, worker_ended
from devices.session.messages import ANSWERS, BadMessage, Ended, Failed, Message, Ready, Result, read_answer, read_line
from devices.session.worker import RemoteWorker
from devices.transports.protocol import Stream, Transport
from eamdeploy.base.errors import BoardUnreachable, EamdeployError, InternalError, MeasurementError
from runtimes.readers.artifact_files import artifact_sha256, external_files

PING_EVERY_S = 10.0
SILENCE_S = 60.0
_GOODBYE_S = 5.0
_CLEANUP_S = 15.0
_NOISE_CHARACTERS = 300
_INTERRUPTED_S = 1.8  # after Ctrl-C; the board clears up by itself what this side could not in that time


@dataclass
class _Pending:
    """A request that has no answer yet."""

    operation: str
    request: Mapping[str, Any]
    worker: str | None
    answer: asyncio.Future[dict[str, Any]]


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
        default_silence_s: float = getattr(transport, "runner_silence_s", SILENCE_S)
        self._silence_s = default_silence_s if silence_s is None else silence_s
        self._ids = itertools.count(1)
        self._deadlines = Deadlines.for_silence(self._silence_s)
        self._pending: dict[int, _Pending] = {}
        self._ready: asyncio.Future[None] | None = None
        self._failure: EamdeployError | None = None
        self._stream: Stream | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._noise: list[str] = []
        self._last_message_s = 0.0
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
        async with self._within(self._deadlines.workdir_s(), "making a folder"):
            self.workdir = await self.transport.workdir()
        try:
            async with self._within(self._deadlines.start_s(), "starting the runner"):
                await self._start()
        except BaseException as error:
            await self._end(graceful=False, interrupted=_is_interruption(error))
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the runner and everything it started, and remove its folder."""
        await self._end(graceful=kind is None, interrupted=_is_interruption(error))

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
            # the model names those files, or is named like them, so they keep their names, in a folder of its own
            name = path.name if beside else f"{digest[:16]}{path.suffix}"
            remote = f"{self.workdir}/{digest[:16]}/{name}" if beside else f"{self.workdir}/{name}"
            size = sum(file.stat().st_size for file in (path, *beside))
            async with self._within(self._deadlines.push_s(size), "receiving a file"):
                for file in beside:
                    remote_side_file = f"{posixpath.dirname(remote)}/{file.relative_to(path.parent).as_posix()}"
                    await self.transport.run(["mkdir", "-p", "--", posixpath.dirname(remote_side_file)])
                    await self.transport.push(file, remote_side_file)
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
            async with self._within(self._deadlines.push_s(len(content)), "receiving a file"):
                await self.transport.push(local, remote)
        return remote

    def worker(self) -> RemoteWorker:
        """A fresh process on the board; use as an asynchronous context manager."""
        return RemoteWorker(self, f"w{next(self._ids)}")

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
            MeasurementError: the process on the board was killed or crashed, or its answer cannot be true.
        """
        if operation not in ANSWERS:
            raise InternalError(f"nothing is known of the answer to '{operation}'")
        number = next(self._ids)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[number] = _Pending(operation, values, worker, future)
        try:
            async with self._within(self._deadlines.request_s(operation, values), f"'{operation}'"):
                await self.tell({"op": operation, "id": number, **({"worker": worker} if worker else {}), **values})
                return await future
        finally:
            self._pending.pop(number, None)

    @contextlib.asynccontextmanager
    async def _within(self, seconds: float, doing: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            why = f"{doing} took more than {seconds:.0f} s"
            failure = BoardUnreachable("the board did not answer in time", where=self.transport.name, why=why)
            self._fail(failure)
            raise failure from error

    async def _start(self) -> None:
        runner = installed_runner() if self._installed else [await self.push_bytes(bundle(), NAME)]
        command = [*self.transport.python, *runner, "--workdir", self.workdir, "--silence", f"{self._silence_s:g}"]
        loop = asyncio.get_running_loop()
        self._ready, self._last_message_s = loop.create_future(), loop.time()
        self._stream = await self.transport.stream(command)
        self._tasks = [asyncio.create_task(self._listen(self._stream)), asyncio.create_task(self._keep_alive())]
        await self._ready

    async def _listen(self, stream: Stream) -> None:
        failure: EamdeployError
        try:
            async for line in stream:
                self._take(line, stream)
            status = await stream.wait()
            failure = runner_ended(self.transport.name, status, stream.stderr_tail, self._noise)
        except EamdeployError as error:
            failure = error
        except Exception as error:
            # a fault of ours must end the requests that wait for an answer, not leave them waiting
            self._fail(InternalError("reading the board's answers failed", why=f"{type(error).__name__}: {error}"))
            raise
        self._fail(failure)

    async def _keep_alive(self) -> None:
        loop = asyncio.get_running_loop()
        while self._failure is None:
            await asyncio.sleep(min(PING_EVERY_S, self._silence_s / 4))
            quiet = loop.time() - self._last_message_s
            if quiet > self._silence_s:
                why = f"nothing was heard from it for {quiet:.0f} s"
                self._fail(BoardUnreachable("the board fell silent", where=self.transport.name, why=why))
                return
            try:
                await self.tell({"op": "ping"})
            except EamdeployError as error:
                self._fail(error)

    def _take(self, line: str, stream: Stream) -> None:
        try:
            frame = read_line(line, self.transport.name)
        except BadMessage as bad:
            # which request it was meant for cannot be known: none of them can be trusted to be answered
            for pending in self._pending.values():
                _refuse(pending.answer, bad.error)
            return
        if frame is None:
            self._noise = [*self._noise[-4:], line[:_NOISE_CHARACTERS]]
            return
        # only what was said by the runner is a sign of its life
        self._last_message_s = asyncio.get_running_loop().time()
        self._dispatch(*frame, stream)

    def _dispatch(self, message: Message, text: str, stream: Stream) -> None:
        if isinstance(message, Ready):
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(None)
        elif isinstance(message, Ended):
            failure = worker_ended(self.transport.name, message.status, stream.stderr_tail)
            for pending in self._pending.values():
                if pending.worker == message.worker:
                    _refuse(pending.answer, failure)
        elif isinstance(message, (Result, Failed)):
            waiter = self._pending.get(message.id)
            if waiter is None or waiter.answer.done():
                return
            if isinstance(message, Failed):
                waiter.answer.set_exception(from_answer(message, self.transport.name, self.names))
                return
            try:
                waiter.answer.set_result(read_answer(waiter.operation, waiter.request, text, self.transport.name))
            except MeasurementError as error:
                waiter.answer.set_exception(error)

    def _fail(self, failure: EamdeployError) -> None:
        self._failure = self._failure or failure
        for pending in self._pending.values():
            _refuse(pending.answer, self._failure)
        if self._ready is not None:
            _refuse(self._ready, self._failure)

    async def _end(self, *, graceful: bool, interrupted: bool = False) -> None:
        # shielded: Ctrl-C in the middle of cleaning up must not leave half of it on the board
        limit = _INTERRUPTED_S if interrupted else _CLEANUP_S + _GOODBYE_S
        with contextlib.suppress(TimeoutError):
            await asyncio.shield(asyncio.wait_for(self._end_now(graceful=graceful), limit))

    async def _end_now(self, *, graceful: bool) -> None:
        stream, link_lost = self._stream, isinstance(self._failure, BoardUnreachable)
        if stream is not None:
            if graceful and self._failure is None:
                with contextlib.suppress(EamdeployError, TimeoutError):
                    await self.tell({"op": "exit"})
                    await asyncio.wait_for(asyncio.shield(self._tasks[0]), _GOODBYE_S)
            await stream.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not link_lost and self.workdir:
            # the runner removes its folder itself; this is for one that was killed
            with contextlib.suppress(EamdeployError, TimeoutError):
                await asyncio.wait_for(self.transport.remove(self.workdir), _CLEANUP_S)


def _refuse(future: asyncio.Future[Any], failure: EamdeployError) -> None:
    if not future.done():
        future.set_exception(failure)


def _is_interruption(error: BaseException | None) -> bool:
    return isinstance(error, (asyncio.CancelledError, KeyboardInterrupt))
