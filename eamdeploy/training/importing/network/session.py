"""From a module to a checkpoint that needs none of its code."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eamdeploy.base.errors import UsageError
from eamdeploy.base.progress import SILENT, Progress
from eamdeploy.data import embedded_sample
from eamdeploy.data.class_list import read_class_list
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.data.preprocessing_said import complete
from eamdeploy.inference.foreign import class_names
from eamdeploy.networks.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from eamdeploy.training.importing.network.adapters import apply_adapters
from eamdeploy.training.importing.network.heads import as_logits, said_head
from eamdeploy.training.importing.network.proof import BATCHES
from eamdeploy.training.importing.network.tracing.borrowing import borrowed, raise_if_scripted
from eamdeploy.training.importing.network.tracing.factory import call_factory, load_weights
from eamdeploy.training.importing.network.tracing.graph import RewrittenNetwork, rewrite_module
from eamdeploy.training.importing.network.tracing.outputs import is_packed, unpacked
from eamdeploy.training.importing.network.tracing.unstored import UnstoredNumber, unstored_numbers


@dataclass(frozen=True)
class ImportedNetwork:
    """A network that was brought in.

    Attributes:
        checkpoint: what every other command takes.
        rewritten: the program, the dynamic layers that were found, and the proof.
        unstored: numbers that matter and are in no state dict.
        adapted: layers that an adapter replaced.
    """

    checkpoint: Checkpoint
    rewritten: RewrittenNetwork
    unstored: tuple[UnstoredNumber, ...]
    adapted: tuple[str, ...] = ()

    def save(self, path: Path) -> ImportedNetwork:
        """Write the checkpoint; the same with its path and hash."""
        checkpoint = self.checkpoint
        path = path if path.suffix == ".safetensors" else path.with_name(path.name + ".safetensors")
        save_checkpoint(
            path,
            checkpoint.network,
            preprocessing=checkpoint.preprocessing,
            classes=checkpoint.classes,
            meta=checkpoint.meta,
        )
        return replace(self, checkpoint=load_checkpoint(path))


def import_network(
    module: nn.Module,
    example: Tensor | tuple[int, ...],
    *,
    name: str | None = None,
    classes: Sequence[str] | None = None,
    preprocessing: Mapping[str, Any] | Preprocessing | None = None,
    head: str | None = None,
    progress: Progress = SILENT,
) -> ImportedNetwork:
    """Find the dynamic convolutions of ``module``, rewrite it as a program of plain layers, and prove the two equal.

    Args:
        module: a classifier that takes one tensor of images and gives one row of scores for each.
        example: images ``(B, C, H, W)`` or rows ``(B, C, L)`` as it takes them; or the shape of one image.
        name: for files and tables; the module's class by default.
        classes: names in the order of the scores; numbered by default.
        preprocessing: how pictures become its input; ImageNet's statistics at its input size by default.
        head: what its scores mean (``multi-label``, ``single-logit``, ...); logits of classes by default.
        progress: receives one sentence as each step begins.

    Raises:
        DataError: when it cannot be traced or has no form as a program; the message names the line.
        ParityError: when the program is not the same function.
    """
    shape = tuple(example.shape[1:]) if isinstance(example, Tensor) else tuple(example)
    flat = len(shape) == 2
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise UsageError(f"one image must be (C, H, W) or (C, L), got {shape}")
    image = (shape[0], 1, shape[1]) if flat else (shape[0], shape[1], shape[2])
    prepared = _preprocessing(preprocessing, image, module)
    raise_if_scripted(module)
    images = _images(example, image, prepared)
    label = name or re.sub(r"\W+", "-", type(module).__name__).strip("-").lower()
    with borrowed(module) as plain:
        adapted, notes = apply_adapters(plain)
        subject, original = (_Rows(adapted), _Rows(plain)) if flat else (adapted, plain)
        if is_packed(original.eval(), images):
            subject, original = unpacked(subject), unpacked(original)
        meaning = said_head(head, original(images))
        subject, original = as_logits(subject, meaning), as_logits(original, meaning)
        rewritten = rewrite_module(subject.eval(), images, label, progress, original=original.eval())
        progress.stage("looking for numbers that the weights do not hold")
        unstored = tuple(unstored_numbers(original.eval(), images))
    count = rewritten.network.spec.classes
    names = tuple(classes) if classes is not None else class_names(None, count)
    if len(names) != count:
        raise UsageError(f"{len(names)} class names for a network of {count} outputs")
    meta: dict[str, Any] = {"data": "imported", "imported": _report(rewritten, unstored, notes)}
    if meaning.multi_label:
        meta["head"] = meaning.to_dict()
    checkpoint = Checkpoint(rewritten.network, rewritten.network.spec, prepared.to_dict(), names, meta)
    return ImportedNetwork(checkpoint, rewritten, unstored, tuple(notes))


def _report(rewritten: RewrittenNetwork, unstored: Sequence[UnstoredNumber], adapted: Sequence[str]) -> dict[str, Any]:
    """What the checkpoint keeps of how it was made."""
    return {
        "layers": [asdict(layer) for layer in rewritten.layers],
        "proof": {str(batch): error for batch, error in rewritten.proof.errors.items()},
        "one_by_one": rewritten.one_by_one or None,
        "unstored": [asdict(number) for number in unstored],
        "adapted": list(adapted),
    }


def import_factory(
    source: str,
    input_shape: tuple[int, ...],
    out: Path,
    *,
    weights: Path | None = None,
    labels: Path | None = None,
    preprocessing: Preprocessing | None = None,
    head: str | None = None,
    progress: Progress = SILENT,
) -> ImportedNetwork:
    """Call ``package.module:function``, load ``weights`` into what it gives, and write the checkpoint ``out``.

    Raises:
        UsageError, DataError, ParityError: as :func:`import_network`, and when factory or weights do not fit.
    """
    if len(input_shape) not in (2, 3):
        raise UsageError("the input must be CxHxW, or CxL for rows")
    path = out if out.suffix == ".safetensors" else out.with_name(out.name + ".safetensors")
    progress.stage(f"running {source}")
    module = call_factory(source)
    if weights is not None:
        load_weights(module, weights)
    names = None if labels is None else read_class_list(labels)
    imported = import_network(
        module, input_shape, name=path.stem, classes=names, preprocessing=preprocessing, head=head, progress=progress
    )
    return imported.save(path)


class _Rows(nn.Module):
    """A network over rows ``(B, C, L)`` that takes maps ``(B, C, 1, L)``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """The same scores."""
        scores: Tensor = self.network(x.squeeze(2))
        return scores


def _preprocessing(
    preprocessing: Mapping[str, Any] | Preprocessing | None, image: tuple[int, int, int], module: nn.Module
) -> Preprocessing:
    channels, height, width = image
    if isinstance(preprocessing, Preprocessing):
        result = preprocessing
    elif preprocessing is not None:
        result = complete(preprocessing).preprocessing
    else:
        result = _known_preprocessing(module, image)
    if (result.channels, *result.size_hw) != image:
        image_text = f"{channels} channels of {height}x{width}"
        raise UsageError(
            f"the preprocessing gives {result.channels} channels of {result.size_hw[0]}x{result.size_hw[1]}, "
            f"and the network takes {image_text}"
        )
    return result


def _known_preprocessing(module: nn.Module, image: tuple[int, int, int]) -> Preprocessing:
    """What the module says of itself (timm's ``pretrained_cfg``), else ImageNet's statistics, else the middle of the range."""
    channels, height, width = image
    size = height if height == width else (height, width)
    config = getattr(module, "pretrained_cfg", None)
    config_values = config if isinstance(config, Mapping) else {}
    if channels == 3 and {"mean", "std"} <= set(config_values):
        crop = float(config_values.get("crop_pct") or 1.0)
        resize = int(height / crop) if height == width and crop < 1 else None
        interpolation = str(config_values.get("interpolation", "bilinear"))
        mean, std = tuple(map(float, config_values["mean"])), tuple(map(float, config_values["std"]))
        return Preprocessing(size, resize, mean=mean, std=std, channels=3, interpolation=interpolation)
    if channels == 3:
        return Preprocessing(size)
    return Preprocessing(size, None, (0.5,) * channels, (0.5,) * channels, channels)


def _images(example: Tensor | tuple[int, ...], image: tuple[int, int, int], preprocessing: Preprocessing) -> Tensor:
    """Three images: the example's, or the shipped sample's as the network takes them."""
    image_count = max(BATCHES)
    if isinstance(example, Tensor):
        maps = example.detach().float().reshape(len(example), *image)
        if len(maps) >= image_count:
            return maps[:image_count]
        generator = torch.Generator().manual_seed(0)
        more = (
            torch.randn(image_count - len(maps), *image, generator=generator) * maps.std().clamp(min=0.1) + maps.mean()
        )
        return torch.cat([maps, more])
    sample = embedded_sample()
    step = len(sample) // image_count
    return torch.from_numpy(np.stack([preprocessing.apply(sample.image(index * step)) for index in range(image_count)]))
