"""What the scores of a network that is brought in mean: it leaves with a logit for each class, or with its labels as they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eamdeploy.base.errors import UsageError
from eamdeploy.inference.head import Head, parse_head

_SMALLEST = 1e-12  # of a probability whose logarithm is taken
_SINGLE = ("single-logit", "sigmoid")


class Logits(nn.Module):
    """A network as one that gives a logit for each class; of a single score, those of no and of yes."""

    def __init__(self, network: nn.Module, kind: str) -> None:
        super().__init__()
        self.network, self.kind = network, kind

    def forward(self, x: Tensor) -> Tensor:
        """Their softmax is the network's probabilities."""
        y = self.network(x)
        if self.kind == "single-logit":
            return torch.cat([torch.zeros_like(y), y], dim=1)
        probabilities = torch.cat([1 - y, y], dim=1) if self.kind == "sigmoid" else y
        return torch.log(probabilities.clamp(min=_SMALLEST))


def said_head(text: str | None, scores: Tensor) -> Head:
    """What the user says of a network's ``scores``, ``KIND[,threshold=P]``.

    Raises:
        UsageError: for one score an image of which nothing is said, or what does not fit.
    """
    kind, fields = (None, {}) if text is None else parse_head(text)
    width = int(scores.shape[-1])
    if width == 1 and kind not in _SINGLE:
        why = "one score an image decides between two classes"
        raise UsageError("what does the score mean?", why=why, hint="say it as the head: single-logit or sigmoid")
    if kind in _SINGLE and width != 1:
        raise UsageError(f"the head {text} does not fit", why=f"the network gives {width} scores an image")
    if kind == "ids" or "output" in fields or ("threshold" in fields and not Head(kind or "logits").multi_label):
        hint = "say KIND, and of labels KIND,threshold=P"
        raise UsageError(f"the head {text} does not fit", why="a network is brought in with its scores", hint=hint)
    return Head(kind or "logits", **fields)


def as_logits(network: nn.Module, head: Head) -> nn.Module:
    """``network`` with a logit for each class, or as it is where its labels do not exclude each other."""
    return network if head.kind == "logits" or head.multi_label else Logits(network, head.kind)
