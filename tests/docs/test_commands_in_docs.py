"""Every command block of the README and of the docs is run, page by page, in the order in which a reader meets it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, README, START, runnable
from tests.docs.running import ADDRESS, run_blocks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def ids(page: Path) -> str:
    return page.name if page != README else f"top-{page.name}"


@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page) and page != START], ids=ids)
def test_commands_run(page: Path, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    if page == README:
        folder.mkdir()
    else:
        shutil.copytree(request.getfixturevalue("start"), folder)
    code_blocks = runnable(page)
    needs_board = any(ADDRESS in block.text for block in code_blocks)
    run_blocks(code_blocks, folder, **(request.getfixturevalue("board").settings if needs_board else {}))


def test_the_quick_start_ends_with_what_it_promises(start: Path) -> None:
    names = {path.name for path in (start / "build").iterdir()}
    assert {"net.onnx", "net-int8.onnx", "net.tflite", "net-int8.tflite", "net.manifest.json"} <= names
    assert len(list((start / "images").rglob("*.png"))) == 200
    assert "<svg" in (start / "report.html").read_text("utf-8")
    assert "blocks.0.depthwise.conv" in (start / "report.html").read_text("utf-8")


@pytest.mark.emulated
@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page, emulated=True)], ids=ids)
def test_commands_on_an_emulated_board_run(page: Path, start: Path, tmp_path: Path) -> None:
    for program in ("qemu-system-aarch64", "mmdebstrap"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    shutil.copytree(start, tmp_path / "work")
    run_blocks(runnable(page, emulated=True), tmp_path / "work")
