"""What a user says of an artifact from elsewhere, the same in every command that takes one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from eamdeploy.inference.model_card import ModelCard

PreprocessingOption = Annotated[
    str | None,
    typer.Option(
        "--preprocessing", help='Of a foreign artifact: JSON or a file with it: {"size": 224, "resize": 256}.'
    ),
]
LabelsOption = Annotated[
    Path | None, typer.Option("--labels", help="Of a foreign artifact: a file of class names, one a line.")
]
HeadOption = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="KIND[,output=NAME][,threshold=P]",
        help="What a foreign artifact answers with: logits, probabilities, sigmoid, single-logit, multi-label, "
        "multi-label-logits or ids. Default: found from its answers to sample images.",
    ),
]


def said_card(model: Path | str, preprocessing: str | None, labels: Path | None, head: str | None) -> ModelCard | None:
    """The card of an artifact about which the user says something; ``None`` where nothing is said.

    Raises:
        UsageError: when what is said does not fit, or ``model`` is a checkpoint, which knows these things.
    """
    if preprocessing is None and labels is None and head is None:
        return None
    from eamdeploy.base.errors import UsageError
    from eamdeploy.inference.foreign import artifact_card
    from eamdeploy.inference.model_card import is_artifact

    if not is_artifact(model):
        hint = "leave --preprocessing, --labels and --head out"
        raise UsageError("a checkpoint knows its preprocessing, classes and head", where=model, hint=hint)
    return artifact_card(Path(model), preprocessing, labels, head)
