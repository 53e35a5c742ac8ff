"""What is known of each shipped checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from eamdeploy.networks.checkpoint_header import read_document
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.networks.zoo.shipped import resolve_checkpoint, shipped_names


@dataclass
class ShippedModel:
    """A shipped checkpoint; ``top1`` is in percent, on ``data``'s test images."""

    name: str
    path: str
    arch: str
    data: str
    top1: float
    bytes: int


def list_models() -> list[ShippedModel]:
    """The shipped checkpoints in the order of their names."""
    models = []
    for name in shipped_names():
        path = resolve_checkpoint(name)
        document = read_document(path)
        meta = document.get("meta", {})
        spec = ArchSpec.from_dict(document["architecture"])
        models.append(
            ShippedModel(
                name,
                str(path),
                arch=spec.name,
                data=str(meta["data"]),
                top1=float(meta["top1"]),
                bytes=path.stat().st_size,
            )
        )
    return models
