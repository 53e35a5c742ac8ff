from __future__ import annotations

from collections.abc import Callable

import pytest

from eamdeploy.cli.main import main

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command in this process: its exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main([*arguments])
        except SystemExit as exit_:
            code = exit_.code  # type: ignore[assignment]
        out = capsys.readouterr()
        return int(code or 0), out.out, out.err

    return run
