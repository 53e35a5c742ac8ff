"""Time single layers on the user's board, for the planner: one lock and one session, as long as the plan takes.

    with BoardTimer(transport) as timer:
        plan_network(network, target, shape, costs=MeasuredCosts(timer))

The session lives in a thread of its own: while the next layer is exported it has to go on answering the board.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from devices.boards.registry import BoardRegistry
from devices.session.lock import board_lock
from devices.session.opening import choose_boards, open_board
from devices.session.run import BoardSession
from devices.transports.protocol import Transport
from eamdeploy.base.decoding import convert
from eamdeploy.base.errors import EamdeployError, MissingDependency, UsageError
from eamdeploy.base.progress import Progress
from export.planning.costs import MeasuredCosts
from export.planning.target import Target
from export.planning.timing import images_per_call, quick
from runtimes.protocol import RuntimeOptions

# the distributions that may bring a runtime, the first one installed is what the board would load
_DISTRIBUTIONS = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "litert": ("ai-edge-litert", "tflite-runtime", "tensorflow"),
}
_VERSIONS = """
import json, site, sys
from importlib import metadata
if sys.prefix == sys.base_prefix:
    site.addsitedir(site.getusersitepackages())
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""
_TURNS = 4  # blocks that each form is measured in, forwards and backwards
_MACHINES = {"x86_64": "x86-64"}

Job = Callable[[BoardSession], Awaitable[Any]]


class BoardTimer:
    """A :class:`~export.planning.timing.Timer` on a board; use as a context manager.

    Args:
        transport: the board; connected here and closed at the end.
        wait_s: how long to wait for a board that is busy.
    """

    def __init__(self, transport: Transport, *, wait_s: float = 0.0) -> None:
        self.transport, self.where, self.machine = transport, transport.name, ""
        self._wait_s = wait_s
        self._facts: dict[str, str] = {}
        self._versions: dict[str, str] = {}
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="eamdeploy-board")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._jobs: asyncio.Queue[tuple[Job, Future[Any]] | None] = asyncio.Queue()
        self._running: asyncio.Task[Any] | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        """Connect, take the board's lock and start the runner.

        Raises:
            BoardUnreachable: the board cannot be reached.
            BoardBusy: somebody else's job runs there.
            MissingDependency: there is no Python 3.9 or later.
        """
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing on the board and let go of it."""
        self._end()
        if self._failure is not None and error is None:
            raise self._failure

    def identity(self, runtime: str) -> Mapping[str, str]:
        """See the protocol.

        Raises:
            MissingDependency: the board does not have the runtime.
        """
        names = _DISTRIBUTIONS[runtime]
        installed = next((name for name in names if name in self._versions), None)
        if installed is None:
            hint = f"eamdeploy devices setup {self.where} --runtime {runtime} installs it"
            raise MissingDependency(f"{runtime} is not installed on the board", where=self.where, hint=hint)
        model = self._facts.get("model") or self._facts.get("cpu") or self.machine
        return {"cpu": model, "runtime": f"{installed} {self._versions[installed]}"}

    def time(self, artifacts: Mapping[str, Path], target: Target, rounds: int) -> dict[str, float]:
        """See the protocol.

        Raises:
            EamdeployError: what went wrong on the board.
        """
        return dict(self._do(lambda session: _time(session, artifacts, target, rounds)))

    def _do(self, job: Job) -> Any:
        answer: Future[Any] = Future()
        if self._loop is None or not self._thread.is_alive():
            raise EamdeployError("the board's session is not open", where=self.where)
        self._loop.call_soon_threadsafe(self._jobs.put_nowait, (job, answer))
        return answer.result()

    def _end(self) -> None:
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._leave)
        self._thread.join()

    def _leave(self) -> None:
        """No more jobs; one that still runs (the user interrupted) is given up."""
        self._jobs.put_nowait(None)
        if self._running is not None:
            self._running.cancel()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await self.transport.connect()
            async with (
                board_lock(self.transport, job="measuring for an export", wait_s=self._wait_s),
                BoardSession(self.transport) as session,
            ):
                self._facts = await session.facts()
                self.machine = _MACHINES.get(self._facts["machine"], self._facts["machine"])
                self._versions = await self._installed()
                self._ready.set_result(None)
                while (next_job := await self._jobs.get()) is not None:
                    job, answer = next_job
                    self._running = asyncio.ensure_future(job(session))
                    try:
                        answer.set_result(await self._running)
                    except BaseException as error:  # handed to the thread that asked, which raises it
                        answer.set_exception(error)
        except BaseException as error:
            if self._ready.done():
                self._failure = error  # while leaving the board
            else:
                self._ready.set_exception(error)
        finally:
            await self.transport.close()

    async def _installed(self) -> dict[str, str]:
        names = [name for candidates in _DISTRIBUTIONS.values() for name in candidates]
        done = await self.transport.run([*self.transport.python, "-c", _VERSIONS, *names], timeout_s=60)
        try:
            return convert(dict[str, str], json.loads(done.text), where=self.where)
        except (ValueError, RecursionError) as error:
            raise EamdeployError("the board's Python gave no answer", where=self.where, why=done.error_text) from error


async def _time(session: BoardSession, artifacts: Mapping[str, Path], target: Target, rounds: int) -> dict[str, float]:
    """Each artifact in a process of its own that stays loaded; blocks forwards and backwards in turn."""
    samples: dict[str, list[float]] = {name: [] for name in artifacts}
    each = max(2, -(-rounds // _TURNS))
    limits = {"seconds": 0.0, "min_samples": each, "max_samples": each, "warmup_seconds": 1.0}
    async with AsyncExitStack() as stack:
        workers = {}
        for name, path in artifacts.items():
            workers[name] = await stack.enter_async_context(session.worker())
            remote = await session.push(path)
            await workers[name].load(remote, target.runtime, RuntimeOptions(threads=target.threads))
        for turn in range(_TURNS):
            for name in list(workers)[:: 1 if turn % 2 == 0 else -1]:
                answer = await workers[name].measure(batch=images_per_call(target), **limits)
                samples[name] += [duration / 1e6 for duration in answer["timing"]["samples_ns"]]
    return {name: quick(times) for name, times in samples.items()}


@contextmanager
def planning_costs(device: str | None, board: str | None, progress: Progress) -> Iterator[MeasuredCosts]:
    """Measured costs for ``export``: on the user's board of the profile ``device``, or on this host where that is meant.

    Args:
        device: profile; ``None`` and ``host`` are this machine.
        board: a registered board's name, where several fit.
        progress: receives one sentence before each measurement.

    Raises:
        UsageError: no board of this profile is registered, or it is an emulated one, whose time means nothing.
        BoardUnreachable: the board cannot be reached, or is busy.
    """
    if device in (None, "host") and board is None:
        yield MeasuredCosts(progress=progress)
        return
    fitting = choose_boards(BoardRegistry(), device, names=(board,) if board else ())
    if not fitting:
        hint = "add yours with 'eamdeploy devices add', or leave `measure` out: the shipped rules cover it"
        raise UsageError(f"you have no {device} to measure on", where="`measure`", hint=hint)
    if fitting[0].emulated:
        hint = "name a real board with `board`, or leave `measure` out: the shipped rules cover it"
        raise UsageError("the time of an emulated board means nothing", where=fitting[0].name, hint=hint)
    with BoardTimer(open_board(fitting[0], progress=progress)) as timer:
        yield MeasuredCosts(timer, progress=progress)
