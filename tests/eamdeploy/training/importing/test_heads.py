"""What a network's scores mean is said where it is brought in, and stays with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import eamdeploy
from eamdeploy.base.errors import UsageError
from eamdeploy.inference.model_card import read_card

IMAGES = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))


class Scores(nn.Module):
    """``width`` numbers an image, behind a sigmoid or not."""

    def __init__(self, width: int, *, sigmoid: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, width))
        self.sigmoid = sigmoid

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return torch.sigmoid(y) if self.sigmoid else y


@pytest.mark.parametrize("sigmoid", [True, False])
def test_a_single_score_becomes_two_classes(sigmoid: bool) -> None:
    network = Scores(1, sigmoid=sigmoid).eval()
    head = "sigmoid" if sigmoid else "single-logit"
    checkpoint = eamdeploy.import_network(network, IMAGES, classes=["no", "yes"], head=head)
    with torch.no_grad():
        yes = checkpoint.network(IMAGES).softmax(1)[:, 1]
        expected = torch.sigmoid(network.layers(IMAGES))[:, 0]
    assert torch.allclose(yes, expected, atol=1e-6)


@pytest.mark.slow
def test_labels_stay_labels_in_the_file(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    network = Scores(4, sigmoid=True).eval()
    checkpoint = eamdeploy.import_network(network, IMAGES, path=tmp_path / "net", head="multi-label,threshold=0.4")
    (artifact,) = eamdeploy.export(checkpoint, tmp_path)
    head = read_card(artifact.path).head
    assert (head.kind, head.threshold) == ("multi-label", 0.4)


@pytest.mark.parametrize(
    ("width", "head", "sentence"),
    [
        (1, None, "what does the score mean.*single-logit or sigmoid"),
        (4, "sigmoid", "does not fit: the network gives 4 scores"),
        (4, "ids", "brought in with its scores"),
        (4, "logits,threshold=0.2", "brought in with its scores"),
    ],
)
def test_a_head_that_does_not_fit_is_told_so(width: int, head: str | None, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        eamdeploy.import_network(Scores(width, sigmoid=False), IMAGES, head=head)
