"""Runs commands in a pseudo-terminal of some width, or in a pipe, and keeps what they print and when."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

WIDTHS = (60, 80, 120)
NET = "fashion-mnist-v1x0.25-eam-rcr"
_FLOAT, _INT8 = f"build/{NET}.onnx", f"build/{NET}-int8.onnx"
SETTING_UP = (
    f"export {NET} --out build --precision fp32,int8 --calibration images --limit 20 --check-images 20",
    f"bench {_FLOAT} {_INT8} --runs 20 --data images",
    f"bench {_FLOAT} --runs 20 --data images",
)
# every command that prints something of its own; those that need a board or train for long are left out
COMMANDS = (
    "",
    "models",
    "info",
    f"describe {NET}",
    "describe --paper-table",
    f"describe {NET} --attention images --limit 10",
    f"export {NET} --out again --limit 10",
    f"export {NET} --out again --limit 10 --verbose",
    f"quantize {_FLOAT} --calibration images --out small --check-images 20",
    f"verify {_FLOAT} {_INT8} --against {NET} --limit 10",
    f"audit {_FLOAT} --against {NET} --limit 10",
    f"evaluate {_FLOAT} --limit 20",
    f"predict {_FLOAT} images/coat/0.png images/bag/0.png --top 2",
    f"bench {_FLOAT} {_INT8} --runs 12",
    f"estimate {_FLOAT} --all-devices",
    f"estimate {_FLOAT} --device pi4 --layers",
    f"estimate {_INT8} --compare {_FLOAT} --device pi4",
    "devices list",
    "devices show pi4",
    "devices check host",
    "history",
    "history show latest",
    "history export runs.jsonl",
    f"compare {_FLOAT} {_INT8}",
    "gate --write-baseline base.json --current latest",
    "gate --baseline base.json --max-latency-increase 1000",
    "report --out report.html",
    "export nothing-like-this --out again",
    "train --data images --out run --epochs 1 --width 0.25 --batch 16",
)


@dataclass(frozen=True)
class Recording:
    """What a command printed.

    Attributes:
        width: columns of the terminal; ``None`` in a pipe.
        parts: seconds since the start, and what was printed then; of a terminal only.
    """

    command: str
    width: int | None
    code: int
    text: str
    parts: tuple[tuple[float, str], ...] = ()

    @property
    def lines(self) -> list[str]:
        """The lines as they stand on the screen at the end: without colours, and what a bar rewrote only once."""
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text.replace("\r\n", "\n"))
        return [line.rpartition("\r")[2] if not line.endswith("\r") else line[:-1] for line in text.split("\n")]


def make_images(folder: Path) -> None:
    """Some of the bundled pictures as a folder of labelled images."""
    from eamdeploy.data import embedded_sample

    sample = embedded_sample()
    counts: dict[int, int] = {}
    for index in range(len(sample)):
        label = sample.label(index)
        number = counts.setdefault(label, 0)
        counts[label] += 1
        if number < 8:
            name = sample.classes[label].lower().replace("/", "-").replace(" ", "-")
            path = folder / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            sample.image(index).save(path)


def run(words: Sequence[str], folder: Path, width: int | None, environment: Mapping[str, str]) -> Recording:
    """Run ``eamdeploy`` with ``words`` in a terminal of ``width`` columns, or in a pipe."""
    command = [sys.executable, "-m", "eamdeploy", *words]
    command_line = " ".join(words)
    if width is None:
        done = subprocess.run(
            command, cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=600, check=False,
        )  # fmt: skip
        return Recording(command_line, None, done.returncode, done.stdout)
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    process = subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdin=terminal, stdout=terminal, stderr=terminal, close_fds=True
    )
    os.close(terminal)
    begun = time.monotonic()
    parts = tuple((time.monotonic() - begun, part) for part in _read(main))
    os.close(main)
    text = b"".join(part for _, part in parts).decode("utf-8", "replace")
    lines = tuple((when, part.decode("utf-8", "replace")) for when, part in parts)
    return Recording(command_line, width, process.wait(timeout=60), text, lines)


def _read(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            return
        if not part:
            return
        yield part


def environment_of(folder: Path) -> dict[str, str]:
    """The environment of a user who has nothing but this folder."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("EAMDEPLOY_", "GITHUB_"))}
    for name in ("COLUMNS", "NO_COLOR", "CI"):
        environment.pop(name, None)
    root = str(Path(__file__).parents[2])
    return environment | {
        "EAMDEPLOY_STORE": str(folder / "runs.db"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "PYTHONPATH": root,
        "TERM": "xterm-256color",
    }


def set_up(folder: Path) -> dict[str, str]:
    """Fill ``folder`` with what the commands need; returns the environment to run them in."""
    make_images(folder / "images")
    shutil.rmtree(folder / "config", ignore_errors=True)
    environment = environment_of(folder)
    for command in SETTING_UP:
        done = run(command.split(), folder, None, environment)
        if done.code not in (0, 5):  # a busy machine's times are measured and called invalid
            raise RuntimeError(f"{command}: exit {done.code}\n{done.text}")
    return environment
