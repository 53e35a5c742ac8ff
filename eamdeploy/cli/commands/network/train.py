"""``eamdeploy train``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import eamdeploy
from eamdeploy.cli.options.arch import Architecture
from eamdeploy.cli.options.choices import AccelerationName, ArithmeticName, AugmentName, DataKind, QatName, RecipeName
from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.options.group import expand_groups
from eamdeploy.cli.progress import make_bar
from eamdeploy.cli.views.output import emit, err_console
from eamdeploy.cli.views.training import TrainingReport, epoch_words

if TYPE_CHECKING:
    from eamdeploy.training.loop import TrainingStep


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Networks")
    @expand_groups
    def train(
        *,
        data: Annotated[
            Path,
            typer.Option(
                "--data", help="Labelled images: a folder with one folder per class, a cifar-*-py folder, or IDX files."
            ),
        ],
        kind: Annotated[
            DataKind | None,
            typer.Option(
                "--kind",
                help="Layout of the data. Default: recognised from the folder.",
            ),
        ] = None,
        out: Annotated[
            Path,
            typer.Option(
                "--out",
                help="Folder for the checkpoint, the curves, the logs and the state from which an interrupted "
                "run continues.",
            ),
        ],
        recipe: Annotated[
            RecipeName,
            typer.Option(
                "--recipe",
                help="Optimizer settings, schedule and number of epochs.",
            ),
        ] = "cpu-small",
        start: Annotated[
            str | None, typer.Option("--from", help="Start with the weights and the architecture of this checkpoint.")
        ] = None,
        architecture: Architecture,
        input_px: Annotated[
            int | None,
            typer.Option("--input", help="Side of the input image, in pixels. Default: the size of the images."),
        ] = None,
        epochs: Annotated[
            int | None, typer.Option("--epochs", min=1, help="Number of epochs. Default: the recipe's.")
        ] = None,
        lr: Annotated[float | None, typer.Option("--lr", help="Learning rate. Default: the recipe's.")] = None,
        batch: Annotated[int | None, typer.Option("--batch", min=1, help="Batch size. Default: the recipe's.")] = None,
        augment: Annotated[
            AugmentName | None,
            typer.Option("--augment", help="Random changes to the training images. Default: the recipe's."),
        ] = None,
        ema: Annotated[
            float | None,
            typer.Option(
                "--ema",
                help="Keep an exponential moving average of the weights with this decay, such as 0.999, and "
                "use it for the result.",
            ),
        ] = None,
        anneal_to: Annotated[
            float | None, typer.Option("--anneal-to", help="Reduce the attention's temperature linearly to this value.")
        ] = None,
        anneal_epochs: Annotated[
            int,
            typer.Option("--anneal-epochs", help="Number of epochs over which --anneal-to reduces the temperature."),
        ] = 10,
        label_smoothing: Annotated[
            float,
            typer.Option("--label-smoothing", min=0.0, max=1.0, help="Label smoothing of the cross-entropy loss."),
        ] = 0.0,
        arithmetic: Annotated[
            ArithmeticName,
            typer.Option(
                "--arithmetic",
                help="Number format of the training arithmetic. The checkpoint is float32 in every case.",
            ),
        ] = "32-true",
        threads: Annotated[
            int | None, typer.Option("--threads", min=1, help="Number of CPU threads. Default: all cores.")
        ] = None,
        tensorboard: Annotated[
            bool,
            typer.Option("--tensorboard", help="Also write TensorBoard logs, with the column names of metrics.csv."),
        ] = False,
        resume: Annotated[
            bool,
            typer.Option("--resume/--no-resume", help="Continue an interrupted run found in --out, or start again."),
        ] = True,
        note: Annotated[
            str | None, typer.Option("--note", help="Remark to store in the checkpoint, for example about the data.")
        ] = None,
        qat: Annotated[
            QatName | None,
            typer.Option(
                "--qat", help="Quantization-aware training: train in the arithmetic of an int8 export. Requires --from."
            ),
        ] = None,
        class_map: Annotated[
            Path | None,
            typer.Option(
                "--class-map",
                help="JSON file that maps the folder names of the images to the classes of the --from checkpoint.",
            ),
        ] = None,
        exif: Annotated[
            bool,
            typer.Option(
                "--exif", help="Rotate images as their EXIF orientation says. The checkpoint records this choice."
            ),
        ] = False,
        acceleration: Annotated[
            AccelerationName,
            typer.Option(
                "--acceleration",
                help="Use of the processor: on = memory layout and fused optimizer; compile = also "
                "torch.compile; auto = on with a GPU, off without.",
            ),
        ] = "auto",
        as_json: JsonOption = False,
    ) -> None:
        """Train a network on labelled images and write a checkpoint.

        Ctrl-C keeps the last finished epoch; the same command then continues from it. Start with torchrun to train with
        several processes.
        """
        from eamdeploy.data.class_map import read_class_map
        from eamdeploy.training.session import TrainingRequest
        from eamdeploy.training.sources import get_source, kind_of

        named = kind_of(data) if kind is None else kind
        get_source(named)
        spec = architecture.spec(classes=1, input_px=32,
        )  # fmt: skip
        request = TrainingRequest(
            data=named, root=data, out=out, recipe=recipe, spec=spec, start=start, input_px=input_px, epochs=epochs,
            lr=lr, batch=batch, augment=augment, ema=ema, anneal_to=anneal_to, anneal_epochs=anneal_epochs,
            seed=architecture.seed,
            label_smoothing=label_smoothing, precision=arithmetic, threads=threads, tensorboard=tensorboard,
            resume=resume, note=note, qat=qat, acceleration=acceleration,
            class_map=None if class_map is None else read_class_map(class_map), exif=exif,
        )  # fmt: skip
        with make_bar() as bar:
            task = bar.add_task("reading the data", total=None, note="")

            def show(step: TrainingStep) -> None:
                bar.update(
                    task,
                    description=f"epoch {step.epoch}/{step.epochs}",
                    total=step.epochs * step.steps,
                    completed=(step.epoch - 1) * step.steps + step.step,
                    note=f"loss {step.loss:.3f}  top-1 {step.top1:.1f} %",
                )

            report = TrainingReport(bar.console, out)
            with report:
                result = eamdeploy.train(request, on_step=show, on_event=report)
        if int(os.environ.get("RANK", "0")):
            return  # of several processes the first one speaks
        if result.skipped:
            err_console().print(
                f"note: {len(result.skipped)} images could not be read and were left out, e.g. {result.skipped[0]}"
            )
        for note in result.notes:
            err_console().print(f"note: {note}", markup=False)
        document = {
            "checkpoint": str(result.checkpoint),
            "top1": result.top1,
            "epochs": result.epochs,
            "history": result.history,
            "skipped": result.skipped,
        }
        emit(
            "train",
            document,
            as_json,
            lambda console: console.print(
                f"{result.checkpoint}: {result.top1:.2f} % top-1 on the test images after {epoch_words(result.epochs)}"
            ),
        )
