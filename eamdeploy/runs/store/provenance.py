"""What is known of a run besides its figures: the commit it was measured at, and its artifact's manifest."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from eamdeploy.base import processes
from eamdeploy.base.decoding import decode_manifest
from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import Run

MANIFEST_SUFFIX = ".manifest.json"
# larger than any manifest of ours; a file of that name that is not one is not read into the store
_MANIFEST_LIMIT_BYTES = 16 * 1024 * 1024
_NO_PROGRAMS = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "core.pager=cat", "diff.ignoreSubmodules=all")
_FILTER = re.compile(r"filter\.[^=]+\.(clean|smudge|process|required)")
_COMMIT = re.compile(r"[0-9a-f]{4,64}(-dirty)?")


def complete(run: Run, manifest: dict[str, Any] | None) -> tuple[Run, str | None]:
    """The run with its git commit, and its manifest as text, both where they can be found."""
    if run.git_commit is None:
        run = dataclasses.replace(run, git_commit=git_commit())
    return run, json.dumps(manifest) if manifest is not None else find_manifest(run.artifact)


def git_commit(folder: Path | str = ".") -> str | None:
    """The commit checked out in ``folder``, with ``-dirty`` where tracked files were changed; ``None`` outside git.

    A repository's own configuration may name programs (a file monitor, hooks, filters); none of them is run.
    """
    filters = _run_git(folder, ["config", "--local", "--name-only", "--get-regexp", r"^filter\..*"])
    settings = [*_NO_PROGRAMS, *(f"{name}=" for name in (filters or "").split("\n") if _FILTER.fullmatch(name))]
    options = [word for setting in settings for word in ("-c", setting)]
    description = _run_git(folder, [*options, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"])
    return description if description and _COMMIT.fullmatch(description) else None


def commit_problem(folder: Path | str = ".") -> str | None:
    """Why the commit of ``folder`` cannot be recorded although it has one, with the way out; None where nothing is wrong."""
    done = _git(folder, ["rev-parse", "HEAD"])
    error_text = done.stderr.decode(errors="replace") if done is not None else ""
    if "dubious ownership" not in error_text:
        return None
    where = Path(folder).resolve()
    return f"the git commit is not recorded: {where} belongs to another user; git config --global --add safe.directory {where}"


def _run_git(folder: Path | str, words: list[str]) -> str | None:
    done = _git(folder, words)
    return done.stdout.decode(errors="replace").strip() or None if done and done.returncode == 0 else None


def _git(folder: Path | str, words: list[str]) -> subprocess.CompletedProcess[bytes] | None:
    # optional locks: only looked at, the repository's index is not written
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    git = processes.tool("git", "-C", str(folder), *words)
    try:
        return None if git is None else processes.run(git, timeout_s=10, env=environment)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def find_manifest(artifact: str) -> str | None:
    """The text of the manifest beside an artifact: ``NAME.manifest.json``, NAME being all or a part of the file's name.

    ``mobilenet-int8.onnx`` is described by ``mobilenet-int8.manifest.json``, else by ``mobilenet.manifest.json``.
    """
    path = Path(artifact)
    name = path.name
    while name:
        candidate = path.with_name(name + MANIFEST_SUFFIX)
        try:
            if candidate.is_file() and candidate.stat().st_size <= _MANIFEST_LIMIT_BYTES:
                text = candidate.read_text("utf-8")
                if path.name in text:
                    decode_manifest(text, where=candidate)
                    return text
        except (OSError, ValueError, UsageError):
            return None  # a measurement is stored whatever stands beside its artifact
        cut = max(name.rfind("."), name.rfind("-"))
        name = name[:cut] if cut > 0 else ""
    return None
