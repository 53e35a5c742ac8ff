"""Boards with 32-bit programs on a 64-bit kernel, and with musl, for real: doctor, setup and bench say the same."""

from __future__ import annotations

import pytest

from devices.doctor import examine
from devices.session.lock import board_lock
from devices.session.run import BoardSession
from devices.setup import set_up
from devices.setup.environment import BASE
from eamdeploy.base.errors import MissingDependency
from runtimes.protocol import RuntimeOptions
from tests.devices.kit.userland import UserlandBoard, debian_32_bit
from tests.runtimes import tiny_models


async def load(transport, artifact):
    async with board_lock(transport, job="bench"), BoardSession(transport) as session, session.worker() as worker:
        await worker.load(await session.push(artifact), "onnxruntime", RuntimeOptions())


def outcome(board, run, attempt):
    async def scenario():
        transport = board.transport()
        try:
            return await attempt(transport)
        finally:
            await transport.close()

    return run(scenario())


def test_32_bit_programs_on_a_64_bit_kernel(tmp_path, run):
    tiny_models.write_onnx(tmp_path / "tiny.onnx", metadata=tiny_models.metadata())
    with UserlandBoard(tmp_path, debian_32_bit()) as board:
        examination = outcome(board, run, examine)
        assert (examination.facts.machine, examination.facts.bits, examination.facts.python.bits) == ("x86_64", 32, 32)
        problems = {
            each.check: f"{each.observation} {each.meaning}" for each in examination.findings if each.level == "problem"
        }
        assert "32-bit programs" in problems["machine"]
        assert "has no wheels for 32-bit programs" in problems["runtimes"]
        with pytest.raises(MissingDependency, match=r"no runtime has wheels .* 32-bit programs") as refused:
            outcome(board, run, set_up)
        with pytest.raises(MissingDependency, match="numpy") as missing:
            outcome(board, run, lambda transport: load(transport, tmp_path / "tiny.onnx"))
        assert refused.value.exit_code == missing.value.exit_code == 7
        assert "64-bit system" in str(missing.value)
        assert not [each for each in examination.findings if "devices setup" in each.hint]
        assert not (board.home / BASE).exists()
        assert [path.name for path in board.tmp.iterdir()] == ["eamdeploy-board.lock"]
