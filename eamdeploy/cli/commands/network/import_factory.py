"""``eamdeploy import MODULE:FACTORY``: a network by the code that makes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.progress import StageLines
from eamdeploy.cli.views.imported import render_imported
from eamdeploy.cli.views.output import emit

if TYPE_CHECKING:
    from eamdeploy.training.importing.network.session import ImportedNetwork


def import_by_factory(
    source: str,
    out: Path,
    *,
    input_size: str,
    weights: Path | None,
    labels: Path | None,
    preprocessing: str | None,
    head: str | None,
    as_json: bool,
) -> None:
    """Run the user's factory, write the checkpoint, show what was found."""
    from eamdeploy.inference.foreign import read_preprocessing
    from eamdeploy.training.importing.network.session import import_factory

    progress = StageLines(style=None)
    progress.stage(f"this runs the code of {source}")
    prepared = None if preprocessing is None else read_preprocessing(preprocessing)
    imported = import_factory(
        source, image_shape(input_size), out, weights=weights, labels=labels, preprocessing=prepared, head=head,
        progress=progress,
    )  # fmt: skip
    emit("import", _document(imported), as_json, lambda console: render_imported(console, imported))


def image_shape(text: str) -> tuple[int, ...]:
    """``3x224x224``, ``1x16000`` or ``224`` as a shape.

    Raises:
        UsageError: for anything else.
    """
    parts = text.lower().split("x")
    if not all(part.isdigit() and int(part) > 0 for part in parts) or len(parts) not in (1, 2, 3):
        raise UsageError(f"--input must be CxHxW or CxL, got '{text}'", hint="for example --input 3x224x224")
    sizes = tuple(int(part) for part in parts)
    return (3, sizes[0], sizes[0]) if len(sizes) == 1 else sizes


def _document(imported: ImportedNetwork) -> dict[str, Any]:
    rewritten = imported.rewritten
    return {
        "checkpoint": str(imported.checkpoint.path),
        "input_shape": list(rewritten.network.spec.input_shape),
        "classes": rewritten.network.spec.classes,
        "matched": sorted(rewritten.network.state_dict()),
        "missing": [],
        **imported.checkpoint.meta["imported"],
    }
