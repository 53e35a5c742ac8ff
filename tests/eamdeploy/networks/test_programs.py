"""A stored program computes, and can do nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from eamdeploy.base.errors import DataError
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.program.operators import OPERATORS, operator_function
from eamdeploy.training.importing.network.session import import_network
from tests.eamdeploy.training.importing.foreign_layers import foreign_network


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An imported network's checkpoint."""
    path = tmp_path_factory.mktemp("program") / "net.safetensors"
    import_network(foreign_network("added"), torch.randn(3, 3, 16, 16)).save(path)
    return path


def changed(source: Path, out: Path, change: Any) -> Path:
    """The checkpoint with ``change(document)`` applied."""
    with safe_open(source, framework="pt") as file:
        document = json.loads(file.metadata()["eamdeploy"])
    change(document)
    save_file(load_file(source), out, metadata={"eamdeploy": json.dumps(document)})
    return out


def set_operator(document: Any) -> None:
    document["program"]["instructions"][0] = {"name": "x", "operator": "from_file.default", "args": ["/etc/passwd"]}


def set_reader(document: Any) -> None:
    document["program"]["instructions"][0]["args"] = [{"value": "nothing"}]


def set_layer(document: Any) -> None:
    document["program"]["instructions"][0]["layer"] = "elsewhere"


def set_kind(document: Any) -> None:
    next(iter(document["program"]["layers"].values()))["kind"] = "pickle"


def set_shape(document: Any) -> None:
    document["architecture"]["input_shape"] = [3, -1, 16]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (set_operator, "none that a stored network may use"),
        (set_reader, "reads 'nothing'"),
        (set_layer, "calls the layer 'elsewhere'"),
        (set_kind, "unknown kind 'pickle'"),
        (set_shape, "a size is not positive"),
        (lambda d: d.pop("program"), "lacks its program"),
        (lambda d: d["program"].pop("layers"), "program is damaged"),
    ],
)
def test_a_damaged_or_hostile_program_is_refused(change: Any, sentence: str, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=sentence):
        load_checkpoint(changed(checkpoint, tmp_path / "changed.safetensors", change))


def test_no_operator_reads_or_writes_files() -> None:
    for name in OPERATORS:
        assert callable(operator_function(name))
    assert not {name for name in OPERATORS if "file" in name or "save" in name or "load" in name}
