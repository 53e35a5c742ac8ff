"""How much the attention of a checkpoint moves over images: what ``describe --attention DIR --json`` wrote, as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eamdeploy.base.decoding import decode, read_limited
from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.runs.report.content.manifest_tables import dicts, value_cell
from eamdeploy.runs.report.content.words import figure
from eamdeploy.runs.report.model import Cell, Names, ReportTable, table

SCHEMA = "eamdeploy/attention"
_HINT = "write one with: eamdeploy describe CKPT --attention DIR --json > attention.json"


@dataclass(frozen=True)
class AttentionFile:
    """The attention of one checkpoint's layers over some images.

    Attributes:
        title: the checkpoint and the images, in words.
        sentence: what was found.
        layers: a mapping a layer, as :class:`export.rewrites.attention_stats.LayerAttention` gives it.
    """

    title: str
    sentence: str
    layers: tuple[Mapping[str, Any], ...]


def read_attention(path: Path) -> AttentionFile:
    """Read what ``eamdeploy describe CKPT --attention DIR --json`` printed.

    Raises:
        DataError: when the file is missing or something else.
    """
    try:
        content = read_limited(path, what="cannot read the attention file")
        document = decode(dict[str, Any], content, where=path, what="the attention file is no JSON object", hint=_HINT)
    except UsageError as error:
        raise DataError(error.what, where=error.where, why=error.why, hint=_HINT) from error
    layers = dicts(document.get("layers"))
    if not layers or document.get("schema") != SCHEMA:
        raise DataError("the file holds no attention statistics", where=path, hint=_HINT)
    name = Path(str(document.get("checkpoint", ""))).name.removesuffix(".safetensors")
    title = f"{name} over {document.get('images')} images of {document.get('data')}"
    return AttentionFile(title, str(document.get("sentence", "")), tuple(layers))


def attention_table(names: Names, files: Sequence[AttentionFile]) -> ReportTable | None:
    """How much the mixing weights of each layer move, and how far the kernels they mix then are from the mean."""
    rows: list[list[Cell | str]] = [
        [
            file.title if len(files) > 1 else "",
            Cell(str(layer.get("layer", "")), position),
            *(value_cell(layer.get(key)) for key in ("movement", "movement_max", "effective_rank")),
            *(_percent(layer.get(key)) for key in ("distance", "distance_max", "bound_max", "worst_case")),
        ]
        for file in files
        for position, layer in enumerate(file.layers)
    ]
    columns = (
        "checkpoint", "layer", ">alpha moves, mean", ">alpha moves, most", ">directions", ">kernel from its mean",
        ">most", ">bound, these images", ">bound, any image",
    )  # fmt: skip
    caption = "Mixing weights over images, by layer"
    if len(files) == 1:
        caption += f": {files[0].title}"
    return table(names.unique("attention layers"), caption, columns, rows) if rows else None


def _percent(value: Any) -> Cell:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return Cell(f"{figure(100 * value)} %", value) if number else value_cell(value)
