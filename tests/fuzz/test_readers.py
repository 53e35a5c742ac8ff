"""No reader meets a damaged input with anything but a refusal in words."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.fuzz.kinds import KINDS, InputKind
from benchmarks.fuzz.worker import outcome

EACH = 8
# the smallest inputs that once were an internal error, a crash or a hang
CORPUS: tuple[tuple[str, bytes], ...] = (
    ("class map", b'{"a": ' + b"[" * 5000),
    ("class map", b'{"a": 1e999}'),
    ("attention file", b"[" * 100_000),
    ("calibration", b"[]"),
    ("calibration", b'{"model": []}'),
    ("manifest", b'{"schema_version": "1"}'),
    ("manifest", b'{"schema_version": 1, "artifacts": [[]]}'),
    ("baseline", b'{"runs": [{"id": "a", "latency_ms": {"p50": NaN}}]}'),
    ("baseline", b"[" * 100_000),
    ("baseline", b'{"runs": [{"id": 3, "device": "\xff"}]}'),
    ("history import", b'{"format": "eamdeploy-runs", "format_version": 1}\n{"run": {}}\n'),
    ("history import", b'{"format": "eamdeploy-runs", "format_version": "1"}\n'),
    ("history import", b"\xff\xfe"),
    ("history import, packed", b"\x1f\x8b\x08\x00\x00\x00"),
    ("row of the store", b"[" * 100_000),
    ("row of the store", b""),
    ("preprocessing", b'{"size": 1e9}'),
    ("preprocessing", b'{"size": ' + b"[" * 5000),
    ("boards.toml", b"a = " + b"[" * 3000),
    ("preprocessing", b'{"size": 32, "std": [0.0], "mean": [0.5], "channels": 1}'),
    ("boards.toml", b'boards = 3\n'),
    ("boards.toml", b'[boards.a]\nprofile = "pi4"\nhost = "-oProxyCommand=x"\n'),
    ("eamdeploy.toml", b"bench = [" + b"[" * 3000),
    ("board: load", b"[" * 100_000),
    ("board: measure", b'{"event": "result", "id": 1, "timing": null, "peak_mb": 1}'),
    ("board: infer", b'{"event": "result", "id": 1, "outputs": "AAAA", "shape": [1, 1], "input_sha256": "x"}'),
    ("checkpoint", (2**63).to_bytes(8, "little") + b"{}"),
    ("checkpoint", (17).to_bytes(8, "little") + b'{"__metadata__":3}'),
    ("metadata in .onnx", b"\x72\x06\x0a" + b"\xff" * 20),
    ("metadata in .tflite", b"PK\x05\x06" + b"\0" * 18),
    ("operators of .tflite", b"\x08\0\0\0TFL3" + b"\xff" * 16),
    ("graph of .onnx", b"\x3a\x05\x0a\x03\x0a\x01\x00"),
    ("graph of ncnn", b"7767517\n1 1\nInput input 0 1 input 0=2 1=2 2=1\n# outputs -1\n"),
    ("graph of ncnn", b"7767517\n1 1\nInput input 0 1 input 0=2 1=2 2=1\n# outputs 0\n"),
    ("IDX data", b"\0\0\x08\xff"),
    ("picture", b"\x89PNG\r\n\x1a\n"),
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.filterwarnings("ignore")  # what Pillow and numpy remark on damaged files
@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.native], ids=lambda kind: kind.name)
def test_damaged_inputs_are_refused_in_words(tmp_path: Path, kind: InputKind) -> None:
    good = kind.good(tmp_path)
    path = tmp_path / f"input{kind.suffix}"
    path.write_bytes(good)
    assert outcome(kind.name, path) == "accepted"
    for number in range(EACH):
        path.write_bytes(kind.damage(good, random.Random(f"{kind.name} {number}")))
        assert outcome(kind.name, path) in ("accepted", "refused"), number


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "content"), CORPUS, ids=lambda value: value if isinstance(value, str) else "")
def test_the_corpus_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    kind = next(each for each in KINDS if each.name == name)
    path = tmp_path / f"input{kind.suffix}"
    path.write_bytes(content)
    assert outcome(name, path) == "refused"


def test_there_are_enough_kinds() -> None:
    assert len(KINDS) >= 19
