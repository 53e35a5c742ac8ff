"""Exports into one folder at the same time: every entry is kept; a manifest that is none is named."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from eamdeploy.base.errors import UsageError
from export.manifest.document import ManifestSource, manifest_path, read_manifest, write_manifest

SOURCE = ManifestSource(
    "net", "net", checkpoint_sha256="a" * 64, architecture={}, classes=("x", "y"), preprocessing={"size": 32}
)


def _entry(folder: Path, number: int) -> dict[str, object]:
    import hashlib

    file = folder / f"net-{number}.onnx"
    file.write_bytes(b"%d" % number)
    return {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def test_two_writers_lose_no_entry(tmp_path: Path) -> None:
    def write(start: int) -> None:
        for number in range(start, start + 30):
            write_manifest(tmp_path, SOURCE, [_entry(tmp_path, number)])

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_manifest(manifest_path(tmp_path, "net"))["artifacts"]) == 120
    assert not [path for path in tmp_path.iterdir() if "lock" in path.name]


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '{"schema_version": "1"}', '{"schema_version": 1, "artifacts": 3}', "\ud800"]
)
def test_a_manifest_that_is_none(tmp_path: Path, text: str) -> None:
    path = manifest_path(tmp_path, "net")
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError, match=r"net.manifest.json"):
        read_manifest(path)
    write_manifest(tmp_path, SOURCE, [_entry(tmp_path, 1)])
    assert len(json.loads(path.read_text())["artifacts"]) == 1
