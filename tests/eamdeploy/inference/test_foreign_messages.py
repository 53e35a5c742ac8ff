"""What a newcomer is told who gives a classifier of their own without what its file does not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.setup.models import smallest_model
from eamdeploy.base.errors import EamdeployError
from eamdeploy.cli.options.flags import with_flags
from eamdeploy.data.class_map import output_indices
from eamdeploy.inference.model_card import read_card
from eamdeploy.networks.checkpoint_header import read_document


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    _, files = smallest_model("onnxruntime")
    (tmp_path / "own.onnx").write_bytes(files["smallest.onnx"])
    return tmp_path / "own.onnx"


def test_a_file_that_says_nothing_of_its_classes_leads_to_the_options(foreign: Path) -> None:
    with pytest.raises(EamdeployError) as caught:
        read_card(foreign)
    message = with_flags(str(caught.value))
    assert "--preprocessing" in message
    assert "--labels" in message
    assert "eamdeploy attach" in message


def test_a_runtime_s_file_in_place_of_a_checkpoint_is_called_so(foreign: Path) -> None:
    with pytest.raises(EamdeployError, match=r"not a checkpoint.*eamdeploy quantize"):
        read_document(foreign)


def test_classes_without_names_lead_to_labels() -> None:
    with pytest.raises(EamdeployError) as caught:
        output_indices(("cat", "dog"), ("class 0", "class 1"), None)
    assert "--labels" in with_flags(str(caught.value))
    with pytest.raises(EamdeployError) as caught:
        output_indices(("cat", "dog"), ("cat", "bird"), None)
    assert "--class-map" in with_flags(str(caught.value))
