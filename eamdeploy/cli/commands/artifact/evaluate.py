"""``eamdeploy evaluate``: accuracy on this host."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import eamdeploy
from eamdeploy.base.errors import UsageError
from eamdeploy.cli.options.choices import SplitName
from eamdeploy.cli.options.common import DataOption, JsonOption, LimitOption
from eamdeploy.cli.options.foreign import ForeignOptions
from eamdeploy.cli.options.group import expand_groups


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate", rich_help_panel="Artifacts", no_args_is_help=True)(evaluate_command)


@expand_groups
def evaluate_command(
    *,
    model: Annotated[
        str,
        typer.Argument(
            metavar="CKPT|ARTIFACT", help="A checkpoint, a shipped name, or an .onnx, .tflite, .param or .mnn file."
        ),
    ],
    data: DataOption = None,
    split: Annotated[
        SplitName, typer.Option("--split", help="Part of the data to evaluate on, if the data has both parts.")
    ] = "test",
    class_map: Annotated[
        Path | None,
        typer.Option(
            "--class-map",
            help='JSON file that maps the folder names of the images to the model\'s classes: {"n01440764": 1}.',
        ),
    ] = None,
    limit: LimitOption = None,
    runtime: Annotated[
        str | None,
        typer.Option(
            "--runtime",
            help="Runtime that executes the model: onnxruntime, litert, ncnn, mnn, torch or torch-compile."
            " Default: the one for the file.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Number of threads of the runtime.")] = 1,
    foreign: ForeignOptions,
    as_json: JsonOption = False,
) -> None:
    """Measure the accuracy of a model on labelled images: top-1 and top-5.

    A model with one score for two classes has balanced accuracy too. One with several labels an image has mean average precision;
    its images are listed in a CSV file with the columns path,labels and rows such as photos/1.jpg,cat;sofa.
    The images are prepared as the model's file says. Images that cannot be decoded are reported and left out.
    """
    from eamdeploy.cli.progress import CountBar
    from eamdeploy.cli.views.output import emit, err_console
    from eamdeploy.data.class_map import read_class_map

    if split not in ("test", "train"):
        raise UsageError(f"--split is test or train, not '{split}'")
    mapping = None if class_map is None else read_class_map(class_map)
    foreign_options = foreign.keywords()
    with CountBar("evaluating") as progress:
        evaluation = eamdeploy.evaluate(
            model,
            data,
            split=split,
            class_map=mapping,
            limit=limit,
            runtime=runtime,
            threads=threads,
            **foreign_options,
            progress=progress,
        )
    if evaluation.skipped:
        examples = ", ".join(evaluation.skipped[:3]) + (", …" if len(evaluation.skipped) > 3 else "")
        err_console().print(
            f"note: {len(evaluation.skipped)} images do not decode and are left out: {examples}", markup=False
        )
    for note in evaluation.notes:
        err_console().print(f"note: {note}", markup=False)
    result = evaluation.result
    document = {
        "model": evaluation.model,
        "top1": None if evaluation.multi_label else result.top1,
        "exact_match": result.top1 if evaluation.multi_label else None,
        "metric": None if result.metric is None else result.metric.summary(),
        "top5": result.top5,
        "n": result.n,
        "skipped": list(evaluation.skipped),
        "notes": list(evaluation.notes),
        "data": result.data,
        "runtime": evaluation.runtime,
        "classes": evaluation.classes,
        "classes_in_data": evaluation.covered,
        "interval95": [round(bound, 4) for bound in result.interval],
        "warning": evaluation.warning,
    }

    def render(console: Console) -> None:
        more = "" if result.top5 is None else f", top-5 {result.top5:.2f} %"
        if result.metric is not None:
            more = f", {'exact match' if evaluation.multi_label else 'top-1'} {result.top1:.2f} %"
        low, high = result.interval
        console.print(
            f"{result.title} {result.figure:.2f} % [{low:.1f}, {high:.1f}]{more} on {result.n} images of {result.data} "
            f"({evaluation.runtime})"
        )

    if evaluation.warning:
        err_console().print(f"warning: chance level: {evaluation.warning}", style="yellow", soft_wrap=True)

    emit("evaluate", document, as_json, render)
