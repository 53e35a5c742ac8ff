"""What an exporter is asked for and what it answers; the same for every format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from export.planning.target import Batch

DEFAULT_OPSET = 20


@dataclass(frozen=True)
class ExportRequest:
    """How a lowered network becomes a file.

    Attributes:
        input_shape: of one image, (C, H, W).
        batch: images per call, or ``dynamic`` (ONNX alone).
        layers: the layers whose tensors are to be named, in order of execution: dynamic ones also by their alpha.
        attentions: for layers whose mixing weights are given to them, the path of the module that gives them.
        opset: of ONNX.
        simplify: whether onnxsim may try.
        simplify_timeout_s: how long it may.
        machine: CPU family that the file is for, as in :class:`~export.planning.target.Target`; any other runs it too.
    """

    input_shape: tuple[int, int, int]
    batch: Batch = 1
    layers: tuple[str, ...] = ()
    attentions: Mapping[str, str] = field(default_factory=dict)
    opset: int = DEFAULT_OPSET
    simplify: bool = True
    simplify_timeout_s: float = 60.0
    machine: str = "x86-64"


@dataclass(frozen=True)
class ExportedFile:
    """A file without its metadata yet.

    Attributes:
        path: of the file.
        tensors: names inside it. ``alpha[layer]``: the mixing weights. ``output[layer]``: the layer's output, after the batch
            norm folded into it, before the activation. ``block[block]``: the output of conv + batch norm + activation, where
            the activation is an operator of its own or fused. Only tensors that exist in the file are named.
        notes: what was tried and dropped, in sentences.
        versions: of the packages that made it.
    """

    path: Path
    tensors: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


class Exporter(Protocol):
    """Writes a lowered network as a file of one format."""

    @property
    def format(self) -> str:
        """``onnx``, ``tflite``, ``ncnn`` or ``mnn``."""

    @property
    def runtime(self) -> str:
        """The runtime that lowerings are planned for."""

    @property
    def input_layout(self) -> str:
        """``NCHW`` or ``NHWC``."""

    def check_available(self) -> None:
        """Raises :class:`~eamdeploy.base.errors.MissingDependency` where the converter is not installed."""

    def __call__(self, network: nn.Module, path: Path, request: ExportRequest) -> ExportedFile:
        """Write ``network`` ((B, C, H, W) -> scores) to ``path``; its input is named ``input``, its output ``scores``."""

    def attach_metadata(self, path: Path, metadata: Mapping[str, Any]) -> None:
        """Put ``metadata`` into the file under the key ``eamdeploy``, replacing what was there."""
