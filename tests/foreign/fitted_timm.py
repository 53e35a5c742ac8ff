"""timm's networks with weights that say something of given pictures: random features, and a classifier solved for on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eamdeploy.data.dataset import ImageDataset, take
from eamdeploy.data.preprocessing import Preprocessing
from tests.foreign.timm_package import timm

CHUNK = 50
BRANCH = 0.2
RIDGE = 0.1  # of the features' mean energy


def timm_network(name: str, classes: int = 10) -> Any:
    """With random weights, and batch norms that have seen something."""
    torch.manual_seed(0)
    network = timm().create_model(name, pretrained=False, num_classes=classes)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def fitted_timm_network(name: str, images: ImageDataset, size: int, count: int = 600) -> Any:
    """Statistics of batch norms from the pictures, and the linear classifier that fits their classes best (ridge regression).

    The features stay random: its accuracy is far above chance, and far from that of a trained network.
    """
    network = timm_network(name, len(images.classes))
    _calm(network)
    subset = take(images, count)
    prepared = Preprocessing(size)
    pixels = torch.from_numpy(np.stack([prepared.apply(subset.image(index)) for index in range(len(subset))]))
    labels = torch.tensor([subset.label(index) for index in range(len(subset))])
    with torch.no_grad():
        _observe(network, pixels[:200])
        features = torch.cat([_features(network, chunk) for chunk in pixels.split(CHUNK)]).double()
        _solve(network.get_classifier(), features, labels)
    return network.eval()


def _calm(network: Any) -> None:
    """Residual branches start small, as training has them: 30 random ones of full size amplify float32's rounding to the score."""
    for block in network.modules():
        if getattr(block, "has_skip", False):
            nn.init.constant_((block.bn3 if hasattr(block, "bn3") else block.bn2).weight, BRANCH)


def _observe(network: Any, pixels: Tensor) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # the mean over all batches
            module.train()
    for chunk in pixels.split(CHUNK):
        _features(network, chunk)
    network.eval()


def _features(network: Any, pixels: Tensor) -> Tensor:
    features: Tensor = network.forward_head(network.forward_features(pixels), pre_logits=True)
    return features


def _solve(classifier: nn.Linear, features: Tensor, labels: Tensor) -> None:
    scores = 4 * nn.functional.one_hot(labels, classifier.out_features).double() - 2
    mean = features.mean(dim=0)
    centred = features - mean
    gram = centred.T @ centred
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64)
    weight = torch.linalg.solve(gram, centred.T @ (scores - scores.mean(dim=0)))
    classifier.weight.copy_(weight.T)
    classifier.bias.copy_(scores.mean(dim=0) - mean @ weight)
