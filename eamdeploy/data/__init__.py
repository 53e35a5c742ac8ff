"""Image classification data as users have it on disk: folders of images, CIFAR's Python folders, IDX files."""

from __future__ import annotations

from eamdeploy.data.dataset import ImageDataset
from eamdeploy.data.open import open_dataset, open_images, open_labelled
from eamdeploy.data.sample import embedded_sample, sample_for

__all__ = ["ImageDataset", "embedded_sample", "open_dataset", "open_images", "open_labelled", "sample_for"]
