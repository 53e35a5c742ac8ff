from __future__ import annotations

import asyncio
import time

import pytest


@pytest.fixture
def run():
    """Run a coroutine to its end; it must not leave tasks behind."""

    def runner(coroutine):
        return asyncio.run(coroutine)

    return runner


@pytest.fixture
def until():
    """Wait until a condition holds, for things that happen a moment later."""

    async def wait(condition, timeout_s: float = 60.0):
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"still not so after {timeout_s} s")
            await asyncio.sleep(0.02)

    return wait
