"""What is known of a run besides its figures: the commit it was measured at, and its artifact's manifest."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from pathlib import Path
from typing import Any

from eamdeploy.base.results import Run

MANIFEST_SUFFIX = ".manifest.json"
# larger than any manifest of ours; a file of that name that is not one is not read into the store
_MANIFEST_LIMIT_BYTES = 16 * 1024 * 1024


def complete(run: Run, manifest: dict[str, Any] | None) -> tuple[Run, str | None]:
    """The run with its git commit, and its manifest as text, both where they can be found."""
    if run.git_commit is None:
        run = dataclasses.replace(run, git_commit=git_commit())
    return run, json.dumps(manifest) if manifest is not None else find_manifest(run.artifact)


def git_commit(folder: Path | str = ".") -> str | None:
    """The commit checked out in ``folder``, with ``-dirty`` where tracked files were changed; ``None`` outside git."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


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
                if path.name in text and isinstance(json.loads(text), dict):
                    return text
        except (OSError, ValueError):
            return None
        cut = max(name.rfind("."), name.rfind("-"))
        name = name[:cut] if cut > 0 else ""
    return None
