"""The bar of a bench: one for all boards on a terminal, a line a stage in a pipe."""

from __future__ import annotations

import pytest

from eamdeploy.cli.progress import BoardsBar


def test_in_a_pipe_a_stage_is_a_line_and_steps_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    with BoardsBar() as bar:
        bar.stage("timing net.onnx", of="host")
        for done in range(100):
            bar.step(done, 100, of="host")
        bar.stage("done", of="host")
    assert capsys.readouterr().err.splitlines() == ["host: timing net.onnx", "host: done"]


def test_boards_share_the_bar() -> None:
    with BoardsBar() as bar:
        bar.stage("connecting", of="kitchen")
        bar.stage("connecting", of="desk")
        bar.step(50, 100, of="kitchen")
        assert bar.share == pytest.approx(0.25)
        bar.step(100, 100, of="kitchen")
        bar.step(100, 100, of="desk")
        assert bar.share == pytest.approx(1.0)
