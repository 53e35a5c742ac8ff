"""A commit that git keeps back is said, and not silently null."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from eamdeploy.runs.store.provenance import commit_problem, git_commit


def test_a_repository_of_another_user_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", "-C", tmp_path, *words], check=True)
    assert git_commit(tmp_path) is not None
    assert commit_problem(tmp_path) is None
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for this case
    assert git_commit(tmp_path) is None
    problem = commit_problem(tmp_path)
    assert problem is not None
    assert f"git config --global --add safe.directory {tmp_path}" in problem


def test_outside_of_git_there_is_no_problem(tmp_path: Path) -> None:
    assert commit_problem(tmp_path) is None
