"""An artifact with external data is all of its files: hashed together, brought to a board together."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest

from devices.session.run import BoardSession
from devices.transports.local import LocalTransport
from eamdeploy.base.errors import UsageError
from runtimes.protocol import RuntimeOptions
from runtimes.readers.artifact_files import artifact_bytes, artifact_sha256, external_files
from tests.eamdeploy.inference.classifiers import classifier


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """A classifier whose weights lie in ``parts/weights.bin``."""
    model = onnx.load(str(classifier(tmp_path / "one.onnx")))
    folder = tmp_path / "split"
    (folder / "parts").mkdir(parents=True)
    onnx.save(
        model, str(folder / "net.onnx"), save_as_external_data=True, location="parts/weights.bin", size_threshold=64
    )
    return folder / "net.onnx"


def test_a_file_alone_has_its_own_hash(tmp_path: Path) -> None:
    path = classifier(tmp_path / "one.onnx")
    assert external_files(path) == ()
    assert artifact_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert artifact_bytes(path) == path.stat().st_size


def test_the_hash_and_the_size_cover_the_weights(split: Path) -> None:
    weights = split.parent / "parts" / "weights.bin"
    assert external_files(split) == (weights,)
    assert artifact_bytes(split) == split.stat().st_size + weights.stat().st_size > 31_000
    before = artifact_sha256(split)
    content = bytearray(weights.read_bytes())
    content[100] ^= 1
    weights.write_bytes(content)
    assert artifact_sha256(split) != before


def test_weights_that_are_missing_or_elsewhere_are_refused(split: Path) -> None:
    weights = split.parent / "parts" / "weights.bin"
    outside = split.parent.parent / "outside.bin"
    weights.rename(outside)
    with pytest.raises(UsageError, match=r"there is no parts/weights\.bin"):
        external_files(split)
    weights.symlink_to(outside)
    with pytest.raises(UsageError, match="outside its folder"):
        external_files(split)


def test_a_board_gets_all_of_it(split: Path) -> None:
    async def load() -> dict[str, object]:
        async with BoardSession(LocalTransport()) as session, session.worker() as worker:
            return await worker.load(await session.push(split), "onnxruntime", RuntimeOptions())

    assert "version" in asyncio.run(load())
    assert np.prod(onnx.load(str(split)).graph.initializer[1].dims) == 7840
