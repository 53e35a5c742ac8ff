"""A bare environment with the built wheel, and a folder full of files that carry our packages' names."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECOYS = ("devices", "export", "runtimes", "json", "numpy", "torch")


@dataclass(frozen=True)
class InstalledWheel:
    """A wheel in an environment of its own.

    Attributes:
        wheel: the built file.
        python: the environment's interpreter.
        folder: where commands run: it holds the decoys, and nothing of the checkout.
    """

    wheel: Path
    python: Path
    folder: Path

    def __call__(self, *words: object, code: int | tuple[int, ...] = 0) -> subprocess.CompletedProcess[str]:
        """Run ``eamdeploy WORDS`` in the folder; fails the test on another exit code."""
        return self.run([self.python.with_name("eamdeploy"), *words], code=code)

    def run(self, command: Sequence[object], code: int | tuple[int, ...] = 0) -> subprocess.CompletedProcess[str]:
        """Run any command in the folder."""
        home = self.folder.parent / "home"
        home.mkdir(exist_ok=True)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("EAMDEPLOY", "PYTHON"))
        }
        environment |= {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home / "data")}
        words = [str(word) for word in command]
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, cwd=self.folder, env=environment, timeout=500
        )
        assert done.returncode in (code if isinstance(code, tuple) else (code,)), (
            f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
        )
        return done


def install(root: Path, extras: str) -> InstalledWheel:
    """Build the wheel and install it with ``extras`` into a new environment below ``root``."""
    uv = Path(sys.executable).with_name("uv")
    if not uv.exists():
        pytest.skip("uv, which builds the wheel, is not installed")
    sys.path.insert(0, str(ROOT / ".ci"))
    try:
        import set_up
    finally:
        sys.path.pop(0)
    options, environment = set_up.uv_settings(set_up.pip_settings(sys.executable))
    options += ["--constraint", str(set_up.CONSTRAINTS)]

    def run(*words: object) -> None:
        done = subprocess.run(
            [str(word) for word in (uv, *words)], capture_output=True, text=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr

    without_constraint = [word for word in options if word not in ("--constraint", str(set_up.CONSTRAINTS))]
    # the wheel is built from the sdist, so both must hold every file, and nothing stale in the checkout gets in
    run("build", "--quiet", "--out-dir", root / "dist", *_indexes(without_constraint), ROOT)
    (wheel,) = (root / "dist").glob("*.whl")
    run("venv", "--quiet", "--seed", "--python", sys.executable, root / "venv")
    python = root / "venv" / "bin" / "python"
    run("pip", "install", "--quiet", "--python", python, *options, f"eamdeploy[{extras}] @ {wheel.as_uri()}")
    folder = root / "work"
    folder.mkdir()
    for name in DECOYS:
        (folder / f"{name}.py").write_text(f"raise SystemExit('the decoy {name}.py was imported')\n", encoding="utf-8")
    return InstalledWheel(wheel, python, folder)


def _indexes(options: list[str]) -> list[str]:
    """The options that ``uv build`` takes too: it knows no constraints on the command line."""
    options_kept: list[str] = []
    for option, value in zip(options[::2], options[1::2], strict=False):
        if option in ("--default-index", "--index", "--find-links", "--allow-insecure-host", "--index-strategy"):
            options_kept += [option, value]
    return options_kept
