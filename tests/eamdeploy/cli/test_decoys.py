"""Every command, run from a folder full of files with the names of libraries: none of them is executed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import typer
from PIL import Image

from eamdeploy.base import processes
from eamdeploy.cli.app import build_app
from tests.devices.kit.installable_board import installable_board
from tests.eamdeploy.base.decoys import decoy_folder, executed
from tests.runtimes import tiny_models

CHECKPOINT = "fashion-mnist-v1x0.25-eam-rcr"
EXPORT = ("export", CHECKPOINT, "--format", "onnx", "--out", "build", "--limit", "20")
BENCH = ("bench", "ONNX", "--runs", "8")
# a word in capitals stands for something that is there only when the test runs
COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "networks": (
        (),
        ("--help",),
        ("info",),
        ("models",),
        ("init", "--arch", "mobilenet_v1", "--width", "0.25", "--out", "own.safetensors"),
        ("describe", CHECKPOINT),
        ("import", "own.safetensors", "--out", "imported.safetensors"),
        ("train", "--data", "images", "--out", "trained", "--epochs", "1"),
    ),
    "artifacts": (
        EXPORT,
        ("quantize", "ONNX", "--precision", "int8", "--limit", "20", "--out", "small"),
        ("verify", "ONNX", "--against", CHECKPOINT, "--limit", "10"),
        ("evaluate", "ONNX", "--limit", "10"),
        ("predict", "ONNX", "picture.png"),
        ("attach", "foreign.onnx", "--preprocessing", "pre.json", "--labels", "labels.txt"),
        ("audit", "ONNX", "--against", CHECKPOINT, "--limit", "4", "--out", "audited"),
        ("estimate", "ONNX", "--device", "pi4"),
    ),
    "formats": (("export", CHECKPOINT, "--format", "tflite,ncnn,mnn", "--out", "build", "--limit", "20"),),
    "results": (
        EXPORT,
        BENCH,
        ("history",),
        ("history", "show", "latest"),
        ("history", "export", "runs.jsonl"),
        ("history", "import", "runs.jsonl"),
        ("history", "quarantine"),
        ("compare", "latest", "latest"),
        ("gate", "--write-baseline", "base.json"),
        ("devices", "calibrate"),
        ("report",),
    ),
    "boards": (
        EXPORT,
        ("devices", "list"),
        ("devices", "show", "pi4"),
        ("devices", "add", "board", "--profile", "host", "--host", "HOST", "--identity", "IDENTITY",
         "--fingerprint", "FINGERPRINT", "--python", sys.executable),
        ("devices", "trust", "board", "--fingerprint", "FINGERPRINT"),
        ("devices", "check", "board", "host"),
        ("devices", "setup", "board", "--runtime", "onnxruntime", "--online"),
        (*BENCH, "--board", "board"),
        ("devices", "remove", "board"),
        ("devices", "emulate", "pi4"),
    ),
    "demo": (("demo", "--out", "demo"),),
}  # fmt: skip
SUCCEED = {
    (), ("--help",), ("info",), ("models",), ("init",), ("describe",), ("export",), ("verify",), ("evaluate",),
    ("predict",), ("attach",), ("audit",), ("estimate",), ("devices", "list"), ("devices", "show"), ("devices", "add"),
    ("devices", "trust"), ("devices", "setup"), ("devices", "remove"), ("history",), ("history", "show"),
    ("history", "export"), ("history", "import"), ("history", "quarantine"), ("gate",), ("report",),
}  # fmt: skip


def _leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of the app, and every group that does something by itself."""
    below = getattr(command, "commands", None)
    if below is None or command.invoke_without_command:
        yield words
    for name, each in (below or {}).items():
        yield from _leaves(each, (*words, name))


def _name(words: tuple[str, ...], known_words: set[tuple[str, ...]]) -> tuple[str, ...]:
    """Which command these words call."""
    return next((words[:count] for count in (2, 1) if words[:count] in known_words), words)


KNOWN = set(_leaves(typer.main.get_command(build_app())))


def test_no_command_is_forgotten() -> None:
    assert {_name(words, KNOWN) for group in COMMANDS.values() for words in group} - {("--help",)} == KNOWN


@pytest.mark.slow
@pytest.mark.parametrize("how", ["script", "module"])
@pytest.mark.parametrize("group", COMMANDS)
def test_no_command_runs_what_lies_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, group: str
) -> None:
    # python -m looks for the package itself, and for what this needs to start, where it stands: that is its contract
    without = ("eamdeploy", "typing") if how == "module" else ()
    folder = decoy_folder(tmp_path / "here", monkeypatch, without=without)
    environment = {
        **os.environ,
        "EAMDEPLOY_STORE": str(tmp_path / "runs.db"),
        "EAMDEPLOY_BOARDS": str(tmp_path / "boards.toml"),
        "EAMDEPLOY_CALIBRATIONS": str(tmp_path / "calibrations"),
        "XDG_CACHE_HOME": str(tmp_path),
    }
    environment |= {"PYTHONPATH": str(Path(processes.__file__).parents[2])} if how == "module" else {}
    Image.new("L", (28, 28)).save(folder / "picture.png")
    tiny_models.write_onnx(folder / "foreign.onnx")
    (folder / "pre.json").write_text('{"size": 8}')
    (folder / "labels.txt").write_text("a\nb\nc\n")
    for number in range(8):
        place = folder / "images" / ("train" if number < 4 else "val") / f"class-{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.new("L", (28, 28), 30 * number).save(place / f"{number}.png")
    start = processes.eamdeploy_command() if how == "script" else [sys.executable, "-m", "eamdeploy"]
    codes: dict[tuple[str, ...], int] = {}
    with installable_board(tmp_path / "board") as board:
        target = board.target()
        key = (board.folder / "known_hosts").read_text().split(" ", 1)[1].encode()
        values = {
            "HOST": f"{target.user}@{target.host}:{target.port}",
            "IDENTITY": str(target.identity),
            "FINGERPRINT": asyncssh.import_public_key(key).get_fingerprint(),
        }
        for words in COMMANDS[group]:
            values["ONNX"] = next((str(path) for path in folder.glob("build/*.onnx")), "none.onnx")
            # an image would take minutes to build: what needs no other program is run
            path = {"PATH": "/nonexistent"} if words[:2] == ("devices", "emulate") else {}
            command = [*start, *(values.get(word, word) for word in words)]
            done = processes.run(command, env=environment | path, timeout_s=900)
            codes[_name(words, KNOWN)] = done.returncode
            assert executed(folder) == [], words
            assert done.returncode not in (1, 99), (words, done.stderr[-2000:])
            if words[:1] == ("bench",):
                assert done.returncode in (0, 5), (
                    words,
                    done.stderr[-2000:],
                )  # a busy machine's times are called invalid
            if _name(words, KNOWN) in SUCCEED:
                assert done.returncode == 0, (words, done.stderr[-2000:])
    assert codes.get(("devices", "emulate"), 7) == 7  # no qemu was found
