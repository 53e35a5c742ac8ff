"""Checkpoints: safetensors, with the architecture, the preprocessing and the classes in the file's metadata.

Format: https://huggingface.co/docs/safetensors. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.base.files import atomic_write_bytes
from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.checkpoint_header import KEY, SCHEMA_VERSION, read_document
from eamdeploy.networks.layers.rewritten import apply_rewrites
from eamdeploy.networks.program.network import ProgramNetwork, build_program
from eamdeploy.networks.program.spec import IMPORTED, ImportedSpec
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.networks.zoo.shipped import resolve_checkpoint

AnyNetwork: TypeAlias = "Network | ProgramNetwork"


@dataclass(frozen=True)
class Checkpoint:
    """A network and what belongs to it.

    Attributes:
        network: in evaluation mode.
        spec: its architecture.
        preprocessing: fields of :class:`eamdeploy.data.preprocessing.Preprocessing`.
        classes: names, in the order of the outputs.
        meta: what training or importing noted (data, top1, epochs, ...).
        sha256: of the file.
        path: where it was read from.
    """

    network: AnyNetwork
    spec: ArchSpec | ImportedSpec
    preprocessing: dict[str, Any]
    classes: tuple[str, ...]
    meta: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    path: Path | None = None

    def built(self, step: str) -> Network:
        """The network, for a step that works on networks built here alone.

        Raises:
            UsageError: when it was imported.
        """
        if isinstance(self.network, ProgramNetwork):
            raise UsageError(
                f"{step} does not work on an imported network",
                where=self.path,
                why="it is a fixed program of layers",
                hint="train it with the code it comes from, and import it again",
            )
        return self.network

    @property
    def name(self) -> str:
        """The file's stem, or the architecture's name; artifacts are named after it."""
        if self.path is None:
            return self.spec.name
        return self.path.parent.name if self.path.stem == "model" and self.path.parent.name else self.path.stem


def save_checkpoint(
    path: Path | str,
    network: AnyNetwork,
    *,
    preprocessing: Mapping[str, Any],
    classes: Sequence[str],
    meta: Mapping[str, Any] | None = None,
    state: Mapping[str, Tensor] | None = None,
) -> str:
    """Write a checkpoint, whole or not at all; returns its SHA-256.

    Args:
        state: weights to store instead of the network's own (an EMA of them, say).

    Raises:
        DataError: when the class names do not fit the classifier.
        UsageError: when the file cannot be written.
    """
    from safetensors.torch import save

    if len(classes) != network.spec.classes:
        raise DataError(f"{len(classes)} class names for a network of {network.spec.classes} classes", where=path)
    document = {
        "schema_version": SCHEMA_VERSION,
        "architecture": network.spec.to_dict(),
        "preprocessing": dict(preprocessing),
        "classes": list(classes),
        "meta": dict(meta or {}),
    }
    if network.rewrites:
        document["rewrites"] = network.rewrites
    if isinstance(network, ProgramNetwork):
        document["program"] = network.to_document()
    tensors = {key: value.detach().contiguous().cpu() for key, value in (state or network.state_dict()).items()}
    content = save(tensors, metadata={KEY: json.dumps(document)})
    atomic_write_bytes(path, content)
    return hashlib.sha256(content).hexdigest()


def _build(document: dict[str, Any], path: Path) -> AnyNetwork:
    if document["architecture"].get("arch") != IMPORTED:
        return build(ArchSpec.from_dict(document["architecture"]))
    if not isinstance(document.get("program"), dict):
        raise DataError("the checkpoint is of an imported network and lacks its program", where=path)
    return build_program(document["program"], ImportedSpec.from_dict(document["architecture"]))


def load_checkpoint(path_or_name: Path | str) -> Checkpoint:
    """Read a checkpoint from a path or by the name of a shipped one; the network is in evaluation mode.

    Raises:
        DataError: when the file is missing, truncated, foreign, or does not fit its own architecture.
    """
    from safetensors.torch import load

    path = resolve_checkpoint(path_or_name)
    document = read_document(path)
    content = path.read_bytes()
    network = _build(document, path)
    spec = network.spec
    if isinstance(network, Network):
        apply_rewrites(network, document.get("rewrites", {}))
    network.rewrites = document.get("rewrites", {})
    try:
        network.load_state_dict(load(content))
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise DataError("the weights do not fit the architecture they claim", where=path, why=reason) from error
    classes = tuple(document["classes"])
    if len(classes) != spec.classes:
        raise DataError(f"{len(classes)} class names for a network of {spec.classes} classes", where=path)
    return Checkpoint(
        network.eval(),
        spec,
        preprocessing=document["preprocessing"],
        classes=classes,
        meta=document.get("meta", {}),
        sha256=hashlib.sha256(content).hexdigest(),
        path=path,
    )
