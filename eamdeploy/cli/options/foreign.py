"""What a user says of an artifact from elsewhere, the same in every command that takes one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
