"""An import is measured on images: the right assumptions score, and wrong ones are found out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from eamdeploy.data import embedded_sample
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.random_init import random_network, write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.training.importing.check import ImportCheck, check_import
from eamdeploy.training.importing.function import Function
from eamdeploy.training.importing.session import Said, import_weights
from eamdeploy.training.importing.sources import SOURCES

SPEC = ArchSpec("mobilenet_v1", 0.25, "static", classes=10, input_px=32, in_channels=1)


def test_other_assumptions_that_score_better_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = {"symmetric": 12.0, "tf-same": 58.0}
    written: dict[Path, Function] = {}

    def write(function: Function, path: Path) -> None:
        written[path] = function

    class Found:
        def __init__(self, path: Path) -> None:
            self.result = self
            self.top1 = scores[written[path].padding]

    monkeypatch.setattr("eamdeploy.training.importing.check.evaluate", lambda path, *_, **__: Found(path))
    import_check = check_import(write, Function(), "mobilenet_v1", embedded_sample(), limit=50)
    assert (import_check.top1, import_check.better_top1, import_check.at_chance) == (12.0, 58.0, True)
    assert SOURCES[import_check.better or ""].functions["mobilenet_v1"] == import_check.better_function
    assert "padding tf-same" in str(import_check.better_function)
    assert json.loads(json.dumps(import_check.to_dict()))["better_function"]["padding"] == "tf-same"
    right = SOURCES["tf-slim"].functions["mobilenet_v1"]
    assert check_import(write, right, "mobilenet_v1", embedded_sample(), limit=50).better is None


@pytest.mark.parametrize(("top1", "images", "chance"), [(12.0, 100, True), (40.0, 100, False), (40.0, 5, True)])
def test_chance_is_judged_with_the_number_of_images(top1: float, images: int, chance: bool) -> None:
    assert ImportCheck(top1, images, 10.0).at_chance == chance


def test_the_check_measures_the_checkpoint_that_is_written(tmp_path: Path) -> None:
    data = embedded_sample()
    network = random_network(replace(SPEC, activation="relu6"))
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    (tmp_path / "labels.txt").write_text("\n".join(data.classes))
    prepare = Preprocessing(32, None, (0.5,), (0.5,), 1)
    statements = Said(activation="relu6", preprocessing=prepare)
    result = import_weights(
        tmp_path / "weights.pt",
        SPEC,
        tmp_path / "out",
        labels=tmp_path / "labels.txt",
        function_options=statements,
        check=data,
    )
    images = prepare.apply_batch(data.image(index) for index in range(len(data)))
    labels = np.array([data.label(index) for index in range(len(data))])
    with torch.no_grad():
        expected_top1 = 100 * (network(torch.from_numpy(images)).argmax(1).numpy() == labels).mean()
    assert result.check is not None
    assert result.check.top1 == pytest.approx(expected_top1)
    assert result.check.chance == 10


def test_a_checkpoint_of_ours_brings_its_own_function(tmp_path: Path) -> None:
    spec = replace(SPEC, activation="relu6", padding="tf-same")
    source = write_random(spec, tmp_path / "static.safetensors")
    result = import_weights(source, replace(SPEC, conv="eam"), tmp_path / "warm")
    assert (result.function.activation, result.function.padding) == ("relu6", "tf-same")
    assert load_checkpoint(result.checkpoint).spec.padding == "tf-same"
