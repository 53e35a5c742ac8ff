"""A board with musl in place of the GNU C library, for real: what doctor and setup say of it, and a model that runs there."""

from __future__ import annotations

import pytest

from devices.doctor import examine
from devices.session.lock import board_lock
from devices.session.run import BoardSession
from devices.setup import set_up
from devices.setup.environment import BASE
from devices.setup.models import smallest_model
from eamdeploy.base.errors import MissingDependency
from runtimes.protocol import RuntimeOptions
from tests.devices.doctor.test_other_userlands import load, outcome
from tests.devices.kit.musl_userland import musl_root
from tests.devices.kit.userland import UserlandBoard
from tests.runtimes import tiny_models


async def measure_smallest(transport, python):
    transport.python = (python, "-I")
    runtime, files = smallest_model("ncnn")
    async with board_lock(transport, job="bench"), BoardSession(transport) as session, session.worker() as worker:
        artifact, *_ = [await session.push_bytes(content, name) for name, content in files.items()]
        await worker.load(artifact, runtime, RuntimeOptions())
        answer = await worker.measure(seconds=0.0, min_samples=3, max_samples=3, warmup_seconds=0.0)
        return len(answer["timing"]["samples_ns"])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_board_with_musl_runs_ncnn_and_is_told_what_else_it_cannot_run(tmp_path, run):
    """Busybox and musl, as Alpine; the first time, a Python is built for it."""
    with UserlandBoard(tmp_path, musl_root("trixie")) as board:
        examination = outcome(board, run, examine)
        assert (examination.facts.glibc, examination.facts.musl) == (None, (1, 2, 5))
        diagnoses = {each.check: each for each in examination.findings}
        assert diagnoses["C library"].level == "warning"
        assert "only ncnn has wheels for it" in diagnoses["C library"].meaning
        with pytest.raises(MissingDependency, match=r"no wheels could be fetched .*musl 1\.2.*onnxruntime") as refused:
            outcome(board, run, lambda transport: set_up(transport, runtimes=["onnxruntime"], offline=True))
        assert refused.value.exit_code == 7
        installed = outcome(board, run, lambda transport: set_up(transport, offline=True))
        assert installed.packages.keys() == {"numpy", "ncnn"}
        assert outcome(board, run, lambda transport: measure_smallest(transport, installed.python)) == 3
        assert not [path for path in board.tmp.iterdir() if path.is_dir()]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_musl_that_is_older_than_the_wheels_need_is_said_alike_by_all(tmp_path, run):
    """Its loader knows no packed relocations: what pip would install there crashes when it is imported."""
    tiny_models.write_onnx(tmp_path / "tiny.onnx", metadata=tiny_models.metadata())
    with UserlandBoard(tmp_path, musl_root("bookworm")) as board:
        examination = outcome(board, run, examine)
        assert examination.facts.musl == (1, 2, 3)
        diagnoses = {each.check: each for each in examination.findings}
        assert diagnoses["C library"].level == diagnoses["runtimes"].level == "problem"
        assert "ncnn needs 1.2.4" in diagnoses["C library"].meaning
        with pytest.raises(MissingDependency, match=r"no runtime has wheels for the board .*1\.2\.3") as refused:
            outcome(board, run, set_up)
        with pytest.raises(MissingDependency, match="numpy is not installed") as missing:
            outcome(board, run, lambda transport: load(transport, tmp_path / "tiny.onnx"))
        assert refused.value.exit_code == missing.value.exit_code == 7
        assert not (board.home / BASE).exists()
