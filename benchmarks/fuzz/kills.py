"""Commands killed at random moments: ``python -m benchmarks.fuzz.kills --kills 50``.

After each: what has a final name is whole, no process is left, and after a signal that can be caught no temporary file either.
On the board, behind an OpenSSH server on this machine, nothing is left and what was set up before still works. Needs sshd.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

from devices.setup.environment import BASE, ENVIRONMENT_PYTHON
from eamdeploy.base.errors import EamdeployError
from eamdeploy.base.processes import eamdeploy_command
from eamdeploy.networks.checkpoint_header import read_document
from eamdeploy.runs.store import open_store
from export.manifest.document import read_manifest
from runtimes.readers.metadata import read_metadata
from tests.devices.kit.installable_board import installable_board
from tests.devices.kit.sshd_board import SshdBoard

CHECKPOINT = "fashion-mnist-v1x0.25-eam-rcr"
COMMANDS = {
    "export": ("export", CHECKPOINT, "--format", "onnx,tflite", "--out", "made", "--limit", "20"),
    "quantize": ("quantize", "source/model.onnx", "--precision", "int8", "--out", "made"),
    "train": ("train", "--data", "images", "--kind", "imagefolder", "--out", "made", "--epochs", "30", "--input", "28"),
    "bench": ("bench", "source/model.onnx", "--max-seconds", "20"),
    "setup": ("devices", "setup", "board", "--runtime", "onnxruntime", "--online"),
    "bench on a board": ("bench", "source/model.onnx", "--board", "board", "--max-seconds", "20"),
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_MARKER, _ON_BOARD = "EAMDEPLOY_KILL_TEST", "on-the-board"
_LONGEST_S = 7.0
_ENDS_WITHIN_S = 2.0
_ORPHANS_WITHIN_S = 5.0
_BOARD_SETTLES_S = 30.0
_LOCK = "eamdeploy-board.lock"  # the empty file that is locked stays


def main() -> int:
    """Print a row a kill, and what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    # a shell's background job ignores Ctrl-C, and so would every command that is started here
    signal.signal(signal.SIGINT, signal.default_int_handler)
    rng, outcomes, slow = random.Random(arguments.seed), Counter(), 0
    with tempfile.TemporaryDirectory(prefix="eamdeploy-kills-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        board = stack.enter_context(installable_board(folder / "board", {_MARKER: _ON_BOARD}))
        _prepare(folder, board)
        for number in range(arguments.kills):
            command = list(COMMANDS)[number % len(COMMANDS)]
            signal_number, after_s = rng.choice(SIGNALS), rng.uniform(0.2, _LONGEST_S)
            problems, ended_s = _one(folder / f"run-{number}", folder, command, signal_number, after_s)
            problems += _left_on(board)
            late = signal_number is not signal.SIGKILL and ended_s > _ENDS_WITHIN_S
            slow += late
            outcomes.update(problems)
            words = "; ".join(problems) or "nothing"
            print(
                f"{number:3} {command:16} {signal_number.name:8} after {after_s:4.1f} s, ended in {ended_s:.1f} s: {words}",
                flush=True,
            )
    print(f"\n{arguments.kills} kills: {sum(outcomes.values())} findings, {slow} ended later than {_ENDS_WITHIN_S:g} s")
    return 1 if outcomes else 0


def _prepare(folder: Path, board: SshdBoard) -> None:
    from PIL import Image

    command = eamdeploy_command(
        "export", CHECKPOINT, "--format", "onnx", "--out", str(folder / "source"), "--name", "model"
    )
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    for number in range(40):
        place = folder / "images" / ("train" if number < 30 else "val") / f"class-{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((28, 28), 50 + number).save(place / f"{number}.png")
    target = board.target()
    key = (board.folder / "known_hosts").read_text().split(" ", 1)[1].strip()
    entry = {
        "profile": "host", "host": f"{target.user}@{target.host}:{target.port}", "identity": str(target.identity),
        "host_key": key, "python": sys.executable,
    }  # fmt: skip
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in entry.items())
    _boards(folder).write_text(f"[boards.board]\n{lines}")
    setup = eamdeploy_command(*COMMANDS["setup"])
    subprocess.run(setup, check=True, capture_output=True, env={**os.environ, "EAMDEPLOY_BOARDS": str(_boards(folder))})


def _boards(folder: Path) -> Path:
    return folder / "boards.toml"


def _left_on(board: SshdBoard) -> list[str]:
    """What is still on the board, and whether its environment works, once it had time to clear up by itself."""
    environments = board.home / BASE / "environments"
    end = time.monotonic() + _BOARD_SETTLES_S
    while True:
        left = [f"{path} on the board" for path in board.tmp.iterdir() if path.name != _LOCK]
        left += [f"{path.name} in the board's home" for path in sorted(environments.iterdir())[1:]]
        left += [f"process {number} on the board" for number in _marked(_ON_BOARD)]
        if not left or time.monotonic() > end:
            break
        time.sleep(0.2)
    works = subprocess.run([board.home / ENVIRONMENT_PYTHON, "-I", "-c", "import numpy, onnxruntime"], check=False)
    return left if works.returncode == 0 else [*left, "the board's environment is broken"]


def _one(
    case_folder: Path, shared: Path, command: str, number: signal.Signals, after_s: float
) -> tuple[list[str], float]:
    case_folder.mkdir()
    (case_folder / "tmp").mkdir()
    for name in ("source", "images"):
        (case_folder / name).symlink_to(shared / name)
    marker = uuid.uuid4().hex
    environment = {
        **os.environ, _MARKER: marker, "TMPDIR": str(case_folder / "tmp"), "EAMDEPLOY_STORE": str(case_folder / "runs.db"),
        "EAMDEPLOY_BOARDS": str(_boards(shared)),
    }  # fmt: skip
    process = subprocess.Popen(
        eamdeploy_command(*COMMANDS[command]), cwd=case_folder, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    began = time.monotonic()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    ended_s = time.monotonic() - began
    problems = [*_broken(case_folder), *_orphans(marker)]
    if number is not signal.SIGKILL:
        # PyTorch's empty folder for compiled code is left by whole exports too
        ours = (
            path for path in case_folder.rglob("*") if not path.name.startswith("torchinductor_") or any(path.iterdir())
        )
        left = [path.name for path in ours if path.name.startswith(".") or path.parent == case_folder / "tmp"]
        problems += [f"left {name}" for name in left[:3]]
    return problems, ended_s


def _broken(folder: Path) -> list[str]:
    readers = {".onnx": read_metadata, ".tflite": read_metadata, ".safetensors": read_document}
    problems = []
    for path in (folder / "made").rglob("*"):
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            if path.name.endswith(".manifest.json"):
                read_manifest(path)
            elif path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix in readers and path.name != "state.safetensors":
                readers[path.suffix](path)
        except (EamdeployError, ValueError) as error:
            problems.append(f"half-written {path.name}: {error}")
    if (folder / "runs.db").exists():
        try:
            open_store(folder / "runs.db").runs(samples=True)
        except EamdeployError as error:
            problems.append(f"store: {error}")
    return problems


def _marked(marker: str) -> list[str]:
    marker_entry = f"{_MARKER}={marker}".encode()
    return [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if marker_entry in _read(path)]


def _orphans(marker: str) -> list[str]:
    end = time.monotonic() + _ORPHANS_WITHIN_S
    while True:
        alive = _marked(marker)
        if not alive or time.monotonic() > end:
            return [f"orphan {process}" for process in alive]
        time.sleep(0.2)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    raise SystemExit(main())
