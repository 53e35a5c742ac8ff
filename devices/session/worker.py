"""One process on a board, as the host asks it to load, time and run an artifact."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from eamdeploy.base.errors import EamdeployError
from runtimes.protocol import RuntimeOptions

if TYPE_CHECKING:
    from devices.session.run import BoardSession


class RemoteWorker:
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

    async def once(self, *, batch: int = 1) -> int:
        """Nanoseconds of one inference; on a board that counts instructions, their number."""
        return int((await self._ask("once", batch=batch))["duration_ns"])

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
