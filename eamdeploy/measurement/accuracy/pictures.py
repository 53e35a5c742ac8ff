"""What accuracy on a board is measured with and against: prepared on this machine, once for all artifacts and boards."""

from __future__ import annotations

import asyncio
import threading

from eamdeploy.base.errors import EamdeployError, UsageError
from eamdeploy.inference.model_card import head_of
from eamdeploy.measurement.accuracy.images import Images, prepare_images
from eamdeploy.measurement.accuracy.measure import Outputs, run_on_host
from eamdeploy.measurement.request import BenchCase, Request


class Pictures:
    """The images of a request, and what this machine computes from them; each made when it is first asked for."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._images: dict[str, asyncio.Task[Images | None]] = {}
        self._outputs: dict[BenchCase, asyncio.Task[Outputs | None]] = {}
        self._stopped = threading.Event()

    async def of(self, case: BenchCase) -> Images | None:
        """The images for a case; None where none were asked for and the embedded sample does not fit.

        Raises:
            UsageError: the artifact does not say how images are prepared.
            DataError: no such data, or its classes are not the artifact's.
        """
        if self.request.accuracy is False:
            return None
        # artifacts of one preprocessing may still answer differently: logits, or the class's number, or a second output
        key = repr((case.metadata.preprocessing, case.metadata.classes, head_of(case.metadata)))
        if key not in self._images:
            self._images[key] = asyncio.create_task(asyncio.to_thread(self._prepare, case))
        return await asyncio.shield(self._images[key])

    async def reference(self, case: BenchCase) -> Outputs | None:
        """What this machine's runtime computes for a case, or None where there are no images or no such runtime."""
        if case not in self._outputs:
            self._outputs[case] = asyncio.create_task(self._compute(case))
        return await asyncio.shield(self._outputs[case])

    async def ahead(self) -> None:
        """Make everything now, while something else is waited for; errors are kept for those who ask."""
        for case in self.request.cases:
            try:
                await self.reference(case)
            except EamdeployError:
                continue

    async def close(self) -> None:
        """Stop what is still being computed."""
        self._stopped.set()
        tasks: list[asyncio.Task[Images | None] | asyncio.Task[Outputs | None]]
        tasks = [*self._images.values(), *self._outputs.values()]
        await asyncio.gather(*tasks, return_exceptions=True)

    def _prepare(self, case: BenchCase) -> Images | None:
        try:
            return prepare_images(case.metadata, self.request.data, self.request.limit, case.artifact)
        except UsageError:
            if self.request.tries_accuracy:
                return None
            raise

    async def _compute(self, case: BenchCase) -> Outputs | None:
        images = await self.of(case)
        if images is None:
            return None
        return await asyncio.to_thread(run_on_host, case, images, stopped=self._stopped.is_set)
