"""The workflows that users copy: they parse, ask for little, and every command in them has the options it is given."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML reads the workflows")
CI = Path(__file__).parents[2] / "examples" / "ci"
# those that spell their commands; the other templates run check.sh, which has tests of its own
WORKFLOWS = [CI / "gate.yml", CI / "verify.yml"]
ON_GITHUB = [*WORKFLOWS, CI / "github.yml"]


def _steps(path: Path) -> list[dict[str, object]]:
    workflow = yaml.safe_load(path.read_text("utf-8"))
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def _commands(path: Path) -> list[list[str]]:
    lines = [line for step in _steps(path) for line in str(step.get("run", "")).splitlines()]
    # the output of another program within a command has options of its own
    return [shlex.split(re.sub(r"\$\([^)]*\)", "x", line)) for line in lines if line.startswith("eamdeploy ")]


@cache
def _help(command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "eamdeploy", command, "--help"], capture_output=True, text=True, check=True,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "NO_COLOR": "1", "HOME": "/nonexistent"},
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_commands_exist_with_their_options(path: Path) -> None:
    commands = _commands(path)
    assert commands
    for words in commands:
        for option in (word for word in words if word.startswith("--")):
            assert re.search(rf"{option}\b", _help(words[1])), f"{words[1]} has no {option}"


@pytest.mark.parametrize("path", ON_GITHUB, ids=lambda path: path.name)
def test_a_workflow_asks_for_no_more_than_it_needs(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for step in _steps(path):
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            # no token is left in the work tree; large files only where the images are in the repository
            lfs = {"lfs": True} if path.name != "gate.yml" else {}
            assert step["with"] == {"persist-credentials": False, **lfs}
        # nothing from a pull request is put into a shell
        assert "${{ github.event" not in str(step.get("run", ""))


def test_there_is_a_whole_workflow() -> None:
    (path,) = [path for path in WORKFLOWS if path.name == "gate.yml"]
    assert [words[1] for words in _commands(path)] == ["export", "verify", "bench", "bench", "gate", "gate", "report"]


@pytest.mark.parametrize("path", ON_GITHUB, ids=lambda path: path.name)
def test_a_pull_request_from_a_fork_can_run_it(path: Path) -> None:
    """Its token may not write: every step that writes to the repository is left out there."""
    for step in _steps(path):
        if "upload-sarif" in str(step.get("uses", "")):
            assert "!github.event.pull_request.head.repo.fork" in str(step["if"])
        # this fails where the repository has no requirements.txt
        assert "cache" not in dict(step.get("with", {}))  # type: ignore[call-overload]
