"""Results on outputs as they are: narrow terminals, FORCE_COLOR in a CI log, encodings that lack characters, no store."""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eamdeploy.base.processes import eamdeploy_command
from eamdeploy.cli.main import main
from eamdeploy.runs.store import open_store
from tests.eamdeploy.cli.test_results_commands import _run
from tests.runtimes import tiny_models

Shown = Callable[..., tuple[int, str, str]]
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
COMMANDS = {
    "history": ["history"],
    "show": ["history", "show", "2026-fast"],
    "compare": ["compare", "2026-fast", "2026-slow"],
    "gate": ["gate", "--baseline", "2026-fast", "--current", "2026-slow", "--max-latency-increase", "off",
             "--max-size-increase", "5"],
    "report": ["report", "--out", "r.html"],
    "estimate": ["estimate", "tiny.onnx", "--all-devices"],
    "evaluate": ["evaluate", "tiny.onnx", "--data", "pictures"],
    "predict": ["predict", "tiny.onnx", "pictures/t-shirt/0.png"],
    "models": ["models"],
    "devices": ["devices", "list"],
}  # fmt: skip


@pytest.fixture
def show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Run a command here, with outputs of an encoding: its exit code, what it printed, and what it said beside."""
    from PIL import Image

    open_store(tmp_path / "runs.db").append_all([(_run("fast", 10.0, 1), None), (_run("slow", 12.0, 2), None)])
    tiny_models.write_onnx(tmp_path / "tiny.onnx", metadata=tiny_models.metadata())
    for shade, name in enumerate(tiny_models.CLASSES):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (8, 8), (60 * shade, 40 * number, 90)).save(tmp_path / "pictures" / name / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EAMDEPLOY_STORE", str(tmp_path / "runs.db"))
    monkeypatch.setenv("EAMDEPLOY_BOARDS", str(tmp_path / "boards.toml"))
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)

    def call(words: list[str], encoding: str = "utf-8", **environment: str) -> tuple[int, str, str]:
        with pytest.MonkeyPatch.context() as patch:
            raw = io.BytesIO(), io.BytesIO()
            for stream, name in zip(raw, ("stdout", "stderr"), strict=True):
                patch.setattr(sys, name, io.TextIOWrapper(stream, encoding=encoding))
            for name, value in environment.items():
                patch.setenv(name, value)
            code = 0
            try:
                main(words)
            except SystemExit as ended:
                code = int(ended.code or 0)
            sys.stdout.flush()
            sys.stderr.flush()
            out, err = (stream.getvalue().decode(encoding) for stream in raw)
        assert "Traceback" not in err
        assert code != 1, err
        return code, out, err

    return call


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_every_result_on_every_output(show: Shown, words: list[str]) -> None:
    code, plain, _ = show(words)
    assert plain
    # colours that were asked for change no word, and no bar is drawn where nobody watches
    coloured, out, err = show(words, FORCE_COLOR="1")
    assert (coloured, _COLOUR.sub("", out)) == (code, plain)
    assert "\x1b" not in _COLOUR.sub("", err)
    # a terminal of forty columns: tables fit, sentences are wrapped by the terminal
    narrow, out, _ = show(words, COLUMNS="40")
    assert narrow == code
    table = [line for line in out.splitlines() if "─" in line or "━" in line]
    assert all(len(line) <= 40 for line in table)
    # encodings without the characters: a "?" in their place
    for encoding in ("ascii", "latin-1"):
        lossy, out, _ = show(words, encoding=encoding)
        assert lossy == code
        assert out == plain.encode(encoding, errors="replace").decode(encoding)


def test_a_width_of_nothing_is_no_width(show: Shown) -> None:
    """As the terminals of some editors say it."""
    _, plain, _ = show(COMMANDS["devices"], COLUMNS="80")
    assert show(COMMANDS["devices"], COLUMNS="0") == (0, plain, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [["devices", "list"], ["devices", "list", "--json"]])
def test_an_output_on_a_full_disk_is_said(words: list[str]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(eamdeploy_command(*words), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: the output cannot be written: No space left on device\n")


def test_closed_outputs_change_no_exit_code() -> None:
    for closed in ("2>&-", ">&- 2>&-", "<&- 2>&-"):
        script = f"exec {shlex.join(eamdeploy_command('devices', 'show', 'nix'))} {closed}"
        assert subprocess.run(["sh", "-c", script], check=False, stdout=subprocess.DEVNULL).returncode == 2, closed


@pytest.mark.parametrize("place", ["/proc/none/runs.db", "file/runs.db", "folder"])
def test_a_store_that_cannot_be_used_is_named(show: Shown, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for name in ("compare", "gate", "report"):
        code, out, err = show([*COMMANDS[name], "--store", place])
        assert (code, out) == (2, ""), name
        assert place in err
        assert err.count("\n") == 1
    if place == "folder":
        assert "this is a folder" in err
