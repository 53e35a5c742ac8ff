"""The runner's zip, and the lines that it speaks."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile

from devices.runner import wire
from devices.runner.bundle import bundle


def test_the_bundle_is_reproducible_small_and_runs_on_python_39():
    import ast

    assert bundle() == bundle.__wrapped__()
    assert len(bundle()) < 300_000
    with zipfile.ZipFile(__import__("io").BytesIO(bundle())) as archive:
        names = archive.namelist()
        for name in names:
            if name.endswith(".py"):
                ast.parse(archive.read(name), name, feature_version=(3, 9))
    assert "eamdeploy/base/errors.py" in names
    assert not any("torch" in name for name in names)


def test_byte_code_of_another_python_is_passed_over(tmp_path, monkeypatch):
    """What is packed for one version of Python must not stop any other."""
    import importlib.util

    archives = {"same": bundle()}
    monkeypatch.setattr(importlib.util, "MAGIC_NUMBER", b"\x01\x02\r\n")
    archives["other"] = bundle.__wrapped__()
    assert archives["same"] != archives["other"]
    for name, content in archives.items():
        (tmp_path / f"{name}.pyz").write_bytes(content)
        command = [sys.executable, str(tmp_path / f"{name}.pyz"), "--help"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "On-board runner" in done.stdout


def test_lines_are_told_apart_from_anything_else():
    assert wire.decode(wire.encode({"event": "x", "text": "ä\n"})) == {"event": "x", "text": "ä\n"}
    assert wire.decode("motd" + wire.encode({"a": 1})) == {"a": 1}
    for noise in ("", "{}", json.dumps({"event": "ready"}), wire.MARK, wire.MARK + "[1]", wire.MARK + '{"cut'):
        assert wire.decode(noise) is None
