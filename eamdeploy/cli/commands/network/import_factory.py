"""``eamdeploy import MODULE:FACTORY``: a network by the code that makes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.views.imported import render_imported
from eamdeploy.cli.views.output import emit
from eamdeploy.cli.views.progress import StageLines

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
    as_json: bool,
) -> None:
    """Run the user's factory, write the checkpoint, show what was found."""
    from eamdeploy.inference.foreign import read_preprocessing
    from eamdeploy.training.importing.network.session import import_factory

    progress = StageLines(style=None)
    progress.stage(f"this runs the code of {source}")
    prepared = None if preprocessing is None else read_preprocessing(preprocessing)
    made = import_factory(
        source, image_shape(input_size), out, weights=weights, labels=labels, preprocessing=prepared, progress=progress
    )
    emit("import", _document(made), as_json, lambda console: render_imported(console, made))


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


def _document(made: ImportedNetwork) -> dict[str, Any]:
    found = made.rewritten
    return {
        "checkpoint": str(made.checkpoint.path),
        "input_shape": list(found.network.spec.input_shape),
        "classes": found.network.spec.classes,
        "matched": sorted(found.network.state_dict()),
        "missing": [],
        **made.checkpoint.meta["imported"],
    }
