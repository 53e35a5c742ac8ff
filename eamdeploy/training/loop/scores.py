"""The running loss and accuracy of an epoch, kept on the device so that reading them does not stop it at every step."""

from __future__ import annotations

import torch
from torch import Tensor


class RunningScores:
    """Loss and hits over the images seen so far."""

    def __init__(self, device: torch.device) -> None:
        self.images = 0
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._hits = torch.zeros((), dtype=torch.int64, device=device)

    def add(self, loss: Tensor, scores: Tensor, labels: Tensor) -> None:
        """Count one batch; ``loss`` is its mean over the images."""
        self.images += len(labels)
        self._loss += loss.detach().double() * len(labels)
        self._hits += (scores.detach().argmax(1) == labels).sum()

    def read(self) -> tuple[float, float]:
        """Mean loss and top-1 in percent so far; waits for the device. A loss that was not finite once stays so."""
        loss, hits = torch.stack((self._loss, self._hits.double())).tolist()
        return loss / self.images, 100 * hits / self.images
