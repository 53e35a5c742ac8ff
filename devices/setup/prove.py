"""Whether a runtime works in an environment: it runs a model there, by the way that measurements take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from devices.session.run import BoardSession
from devices.setup.environment import FreshEnvironment
from devices.setup.models import smallest_model
from devices.transports.protocol import Transport
from eamdeploy.base.errors import BoardUnreachable, EamdeployError, MissingDependency
from runtimes.protocol import RuntimeOptions


async def prove(transport: Transport, fresh: FreshEnvironment, package: str) -> None:
    """Run a model with ``package`` in a new environment.

    Raises:
        MissingDependency: it does not work there.
        BoardUnreachable: the link was lost.
    """
    runtime, files = smallest_model(package)
    try:
        with _inside(transport, fresh):
            async with BoardSession(transport) as session, session.worker() as worker:
                remote = [await session.push_bytes(content, name) for name, content in files.items()]
                await worker.load(remote[0], runtime, RuntimeOptions())
                await worker.measure(seconds=0.0, min_samples=1, max_samples=1, warmup_seconds=0.0)
    except BoardUnreachable:
        raise
    except EamdeployError as error:
        hint = "what was set up before is still in place; 'eamdeploy devices check' shows what the board has"
        raise MissingDependency(
            f"{package} was installed and does not work", where=transport.name, why=error, hint=hint
        ) from error


@contextmanager
def _inside(transport: Transport, fresh: FreshEnvironment) -> Iterator[None]:
    """Its Python, and its folder for the run's own, so that nothing outside of it can be left over."""
    python, root = transport.python, getattr(transport, "work_root", None)
    transport.python = (fresh.python, "-I")
    _set_work_root(transport, fresh.scratch)
    try:
        yield
    finally:
        transport.python = python
        _set_work_root(transport, root)


def _set_work_root(transport: Transport, root: str | None) -> None:
    if hasattr(transport, "work_root"):
        transport.work_root = root
