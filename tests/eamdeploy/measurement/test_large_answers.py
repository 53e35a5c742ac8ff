"""A network of 21,000 classes through OpenSSH: answers longer than a channel's window, and accuracy from them."""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from devices.transports.lines import whole_lines
from devices.transports.ssh import stream
from eamdeploy.measurement import BenchTarget, Effort, Request, bench, expand
from eamdeploy.runs.store import open_store
from tests.devices.kit.sshd_board import SshdBoard
from tests.runtimes import tiny_models

CLASSES = 21_000
_WINDOW_BYTES = 2 * 1024 * 1024


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """One picture of 8 x 8 pixels a class."""
    for number in range(CLASSES):
        content = BytesIO()
        Image.new("RGB", (8, 8), (number % 251, number // 251, 99)).save(content, "PNG")
        (tmp_path / "pictures" / "test" / f"class-{number:05}").mkdir(parents=True)
        (tmp_path / "pictures" / "test" / f"class-{number:05}" / "0.png").write_bytes(content.getvalue())
    return tmp_path / "pictures"


@pytest.mark.slow
def test_a_network_of_21000_classes_has_its_accuracy_measured_over_ssh(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = [f"class-{number:05}" for number in range(CLASSES)]
    tiny_models.write_onnx(tmp_path / "large.onnx", classes=CLASSES, metadata=tiny_models.metadata(classes=classes))
    lengths = []

    async def measured(pieces, *, board):
        async for line in whole_lines(pieces, board=board):
            lengths.append(len(line))
            yield line

    monkeypatch.setattr(stream, "whole_lines", measured)
    store = open_store()
    with SshdBoard(tmp_path / "board") as board:
        target = BenchTarget("pi", "pi4", "pi", "measured", lambda _: board.transport("pi", python=(sys.executable,)))
        request = Request(expand([tmp_path / "large.onnx"]), Effort(runs=20), data=pictures, limit=100)
        report = bench(request, [target], store=store)
    assert [str(failure.error) for failure in report.failures] == []
    (run,) = report.runs
    assert max(lengths) > _WINDOW_BYTES
    assert run.accuracy.n == 100
    assert run.accuracy.flips == 0
    assert sum(images for _, _, images in run.accuracy.confused) == 100
    # the matrix of 441 million cells is stored as the few that are not empty
    assert store.path.stat().st_size < 1_000_000
