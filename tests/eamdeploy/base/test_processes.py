"""Our Python takes nothing from the folder it stands in, from PYTHONPATH or from the user's home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eamdeploy.base import processes
from eamdeploy.runs.store.provenance import git_commit
from tests.eamdeploy.base.decoys import decoy_folder, executed


def test_a_folder_of_decoys_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = decoy_folder(tmp_path / "here", monkeypatch)
    monkeypatch.setenv("PYTHONPATH", f"{folder}:")
    monkeypatch.setenv("PYTHONSTARTUP", str(folder / "json.py"))
    site = tmp_path / "home" / f".local/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    site.mkdir(parents=True)
    (site / "usercustomize.py").write_text((folder / "json.py").read_text())
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    code = "import json, numpy, eamdeploy, devices.runner; print(json.dumps([eamdeploy.__file__, *sys.argv[1:]]))"
    done = processes.run(processes.python_code(code, "a b", "$(c)"))
    assert done.returncode == 0, done.stderr
    module_paths, *arguments = json.loads(done.stdout)
    assert Path(module_paths).parents[1] == Path(processes.__file__).parents[2]
    assert arguments == ["a b", "$(c)"]
    assert processes.run(processes.python_module("pip", "--version")).returncode == 0
    assert executed(folder) == []


def test_what_is_run_on_this_machine_ends_with_it(tmp_path: Path) -> None:
    """A timeout ends the child and what it started."""
    code = "import subprocess, time\nsubprocess.Popen(['sleep', '987654'])\ntime.sleep(60)"
    with pytest.raises(subprocess.TimeoutExpired):
        processes.run(processes.python_code(code), timeout_s=1.5)
    # the kernel may take a moment to end what was killed
    for _ in range(100):
        running = [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"987654" in _read(path)]
        if not running:
            break
        time.sleep(0.1)
    assert running == []


def test_a_tool_is_not_taken_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\ntouch executed\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ".::bin")
    assert processes.tool("git") is None


def test_a_repository_s_own_programs_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git = processes.tool("git")
    if git is None:
        pytest.skip("git is not installed")
    monkeypatch.chdir(tmp_path)
    marker = tmp_path / "executed"
    program = tmp_path / "program.sh"
    program.write_text(f"#!/bin/sh\necho x >> {marker}\ncat\n")
    program.chmod(0o755)

    def call(*words: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = processes.run([*git, *identity, *words], env={**os.environ, "HOME": str(tmp_path)})
        assert done.returncode == 0, done.stderr

    call("init", "-q")
    (tmp_path / "file.txt").write_text("one\n")
    call("add", "file.txt")
    call("commit", "-qm", "x")
    (tmp_path / ".gitattributes").write_text("*.txt filter=evil\n")
    hook = tmp_path / ".git" / "hooks" / "post-index-change"
    hook.write_text(program.read_text())
    hook.chmod(0o755)
    call("config", "core.fsmonitor", str(program))
    call("config", "filter.evil.clean", str(program))
    (tmp_path / "file.txt").write_text("two\n")
    marker.unlink(missing_ok=True)
    assert (git_commit(tmp_path) or "").endswith("-dirty")
    assert not marker.exists()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
