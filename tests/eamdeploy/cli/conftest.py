from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eamdeploy.cli.main import main

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _own_calibrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EAMDEPLOY_CALIBRATIONS", str(tmp_path / "calibrations"))


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command in this process: its exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main([*arguments])
        except SystemExit as exit_:
            code = exit_.code
        out = capsys.readouterr()
        return int(code or 0), out.out, out.err

    return run
