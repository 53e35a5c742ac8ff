"""Real artifacts of small networks, exported once a session."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eamdeploy.networks.spec import ArchSpec
from export.planning.target import Batch
from tests.eamdeploy.parity.parity_artifacts import SMALL, Made, make_artifact


@pytest.fixture(scope="session")
def artifact_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Made]:
    """``artifact_of("onnx")``, ``artifact_of("onnx", spec, batch)``: exported on first use."""
    cache: dict[object, Made] = {}

    def get(fmt: str, spec: ArchSpec = SMALL, batch: Batch = 1) -> Made:
        key = (fmt, spec, batch)
        if key not in cache:
            if fmt == "tflite":
                pytest.importorskip("litert_torch", reason="litert-torch is not installed")
            cache[key] = make_artifact(tmp_path_factory.mktemp("artifact"), fmt, spec, batch)
        return cache[key]

    return get
