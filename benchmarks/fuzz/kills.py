"""Commands killed at random moments: ``python -m benchmarks.fuzz.kills --kills 50``.

After each: what has a final name is whole, no process is left, and after a signal that can be caught no temporary file either.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

from eamdeploy.base.errors import EamdeployError
from eamdeploy.base.processes import eamdeploy_command
from eamdeploy.networks.checkpoint_header import read_document
from eamdeploy.runs.store import open_store
from export.manifest.document import read_manifest
from runtimes.readers.metadata import read_metadata

CHECKPOINT = "fashion-mnist-v1x0.25-eam-rcr"
COMMANDS = {
    "export": ("export", CHECKPOINT, "--format", "onnx,tflite", "--out", "made", "--limit", "20"),
    "quantize": ("quantize", "source/model.onnx", "--precision", "int8", "--out", "made"),
    "train": ("train", "--data", "images", "--kind", "imagefolder", "--out", "made", "--epochs", "30", "--input", "28"),
    "bench": ("bench", "source/model.onnx", "--max-seconds", "20"),
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_MARKER = "EAMDEPLOY_KILL_TEST"
_LONGEST_S = 7.0
_ENDS_WITHIN_S = 2.0
_ORPHANS_WITHIN_S = 5.0


def main() -> int:
    """Print a row a kill, and what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng, found, slow = random.Random(arguments.seed), Counter(), 0
    with tempfile.TemporaryDirectory(prefix="eamdeploy-kills-") as name:
        folder = Path(name)
        _prepare(folder)
        for number in range(arguments.kills):
            command = list(COMMANDS)[number % len(COMMANDS)]
            chosen, after_s = rng.choice(SIGNALS), rng.uniform(0.2, _LONGEST_S)
            problems, ended_s = _one(folder / f"run-{number}", folder, command, chosen, after_s)
            late = chosen is not signal.SIGKILL and ended_s > _ENDS_WITHIN_S
            slow += late
            found.update(problems)
            words = "; ".join(problems) or "nothing"
            print(
                f"{number:3} {command:9} {chosen.name:8} after {after_s:4.1f} s, ended in {ended_s:.1f} s: {words}",
                flush=True,
            )
    print(f"\n{arguments.kills} kills: {sum(found.values())} findings, {slow} ended later than {_ENDS_WITHIN_S:g} s")
    return 1 if found else 0


def _prepare(folder: Path) -> None:
    from PIL import Image

    command = eamdeploy_command(
        "export", CHECKPOINT, "--format", "onnx", "--out", str(folder / "source"), "--name", "model"
    )
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    for number in range(40):
        place = folder / "images" / ("train" if number < 30 else "val") / f"class-{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((28, 28), 50 + number).save(place / f"{number}.png")


def _one(own: Path, shared: Path, command: str, number: signal.Signals, after_s: float) -> tuple[list[str], float]:
    own.mkdir()
    (own / "tmp").mkdir()
    for name in ("source", "images"):
        (own / name).symlink_to(shared / name)
    marker = uuid.uuid4().hex
    environment = {**os.environ, _MARKER: marker, "TMPDIR": str(own / "tmp"), "EAMDEPLOY_STORE": str(own / "runs.db")}
    process = subprocess.Popen(
        eamdeploy_command(*COMMANDS[command]), cwd=own, env=environment,
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
    problems = [*_broken(own), *_orphans(marker)]
    if number is not signal.SIGKILL:
        left = [path.name for path in own.rglob("*") if path.name.startswith(".") or path.parent == own / "tmp"]
        problems += [f"left {name}" for name in left[:3]]
    return problems, ended_s


def _broken(folder: Path) -> list[str]:
    readers = {".onnx": read_metadata, ".tflite": read_metadata, ".safetensors": read_document}
    found = []
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
            found.append(f"half-written {path.name}: {error}")
    if (folder / "runs.db").exists():
        try:
            open_store(folder / "runs.db").runs(samples=True)
        except EamdeployError as error:
            found.append(f"store: {error}")
    return found


def _orphans(marker: str) -> list[str]:
    wanted = f"{_MARKER}={marker}".encode()
    end = time.monotonic() + _ORPHANS_WITHIN_S
    while True:
        alive = [path.parent.name for path in Path("/proc").glob("[0-9]*/environ") if wanted in _read(path)]
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
