"""What a user says of an artifact from elsewhere, the same in every command that takes one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

PreprocessingOption = Annotated[
    str | None,
    typer.Option(
        "--preprocessing",
        help="How to prepare images for a model that eamdeploy did not export: JSON, or a file with "
        'it, such as {"size": 224, "resize": 256, "normalize": "imagenet"}.',
    ),
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels", help="Class names for a model that eamdeploy did not export: a text file, one name per line."
    ),
]
HeadOption = Annotated[
    str | None,
    typer.Option(
        "--head",
        metavar="KIND[,output=NAME][,threshold=P]",
        help="What the outputs of a model that eamdeploy did not export mean: logits, probabilities, "
        "sigmoid, single-logit, multi-label, multi-label-logits or ids. Default: derived from its"
        " answers to sample images. With a checkpoint, only output=NAME: which of several outputs holds the classes.",
    ),
]


@dataclass(frozen=True)
class ForeignOptions:
    """What the file does not say of itself; the fields are parameters of the API's functions."""

    preprocessing: PreprocessingOption = None
    labels: LabelsOption = None
    head: HeadOption = None

    def keywords(self) -> dict[str, Any]:
        """For the API's function; which fields of a preprocessing are taken by default is said on stderr.

        Raises:
            UsageError: when the preprocessing cannot be read.
        """
        tell_defaults(self.preprocessing)
        return {"preprocessing": self.preprocessing, "labels": self.labels, "head": self.head}


def tell_defaults(preprocessing: str | None) -> None:
    """Say on stderr which fields of a preprocessing were not given and what is taken for them.

    Raises:
        UsageError: when it cannot be read.
    """
    if preprocessing is None:
        return
    from eamdeploy.cli.views.output import err_console
    from eamdeploy.data.preprocessing_said import read_said

    for note in read_said(preprocessing).defaults:
        err_console().print(f"note: {note}", markup=False)
