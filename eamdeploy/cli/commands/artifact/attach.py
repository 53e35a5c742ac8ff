"""``eamdeploy attach``: a classifier from elsewhere learns to say how it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.options.completion import complete_artifact
from eamdeploy.cli.options.foreign import HeadOption, LabelsOption, tell_defaults
from eamdeploy.cli.views.output import emit


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("attach", rich_help_panel="Artifacts", no_args_is_help=True)(attach_command)


def attach_command(
    *,
    artifact: Annotated[
        Path, typer.Argument(metavar="ARTIFACT", help="The .onnx or .tflite file.", autocompletion=complete_artifact)
    ],
    preprocessing: Annotated[
        str,
        typer.Option(
            "--preprocessing",
            help='How to prepare images for it: JSON, or a file with it, such as {"size": 224, "resize": '
            '256, "normalize": "imagenet"}.',
        ),
    ],
    labels: LabelsOption = None,
    head: HeadOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write a copy to this path. Default: change the file itself.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write preprocessing and class names into a classifier from elsewhere. Later commands then read them from the file."""
    from eamdeploy.pipeline.attach import attach

    tell_defaults(preprocessing)
    card = attach(artifact, out, preprocessing=preprocessing, labels=labels, head=head)
    document = {
        "artifact": str(card.path),
        "classes": len(card.classes),
        "preprocessing": card.preprocessing.to_dict(),
        "head": card.head.to_dict(),
    }
    emit(
        "attach",
        document,
        as_json,
        lambda console: console.print(
            f"{card.path}: {len(card.classes)} classes, head {card.head.kind}", markup=False, soft_wrap=True
        ),
    )
