"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        envvar="EAMDEPLOY_DATA",
        help="Labelled images: a tree with a folder per class, a cifar-*-py folder, or IDX files. "
        "Left out: the embedded sample, where the classes fit.",
    ),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Use at most this many images, balanced over the classes.")
]
StoreOption = Annotated[
    Path | None, typer.Option("--store", envvar="EAMDEPLOY_STORE", help="The results file (SQLite).")
]
CheckpointArgument = Annotated[
    str, typer.Argument(metavar="CKPT", help="A checkpoint's path, or the name of a shipped one.")
]
