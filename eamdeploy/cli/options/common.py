"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout. Everything else goes to stderr.")
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="EAMDEPLOY_DATA",
        help="Labelled images: a folder with one folder per class, a cifar-*-py folder, IDX files, or a CSV file "
        "with the columns path,labels. "
        "Default: the 200 bundled images, if the model has their classes.",
    ),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Use at most this many images, balanced over the classes.")
]
StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        envvar="EAMDEPLOY_STORE",
        help="The results file (SQLite). Default: one per user; `eamdeploy info` shows its path.",
    ),
]
CheckpointArgument = Annotated[
    str,
    typer.Argument(
        metavar="CKPT",
        help="Path of a checkpoint (.safetensors), or the name of a shipped one (see `eamdeploy models`).",
    ),
]
