"""Where the pages' commands are run: the folder that the quick start leaves, and a board at the address they use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import START, FencedBlock, runnable
from tests.docs.running import DocsBoard, run_blocks


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the quick start leaves; every page goes on in a copy."""
    folder = tmp_path_factory.mktemp("quick-start")
    commit = "git init -q . && git -c user.name=x -c user.email=x@y commit -q --allow-empty -m start"
    run_blocks([FencedBlock("bash", (), commit), *runnable(START)], folder)
    return folder


@pytest.fixture
def board(tmp_path: Path) -> Iterator[DocsBoard]:
    """The board that the pages call ``pi@192.0.2.7``."""
    docs_board = DocsBoard(tmp_path / "ssh")
    yield docs_board
    docs_board.close()
