"""``eamdeploy train``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import eamdeploy
from eamdeploy.cli.options.arch import Architecture
from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.options.group import expand_groups
from eamdeploy.cli.views.output import emit, err_console, progress
from eamdeploy.cli.views.training import TrainingReport

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
                "--data", help="Labelled images: a tree with a folder per class, a cifar-*-py folder, or IDX files."
            ),
        ],
        kind: Annotated[
            str | None,
            typer.Option(
                "--kind",
                help="What they are: cifar10, cifar100, fashion-mnist or imagefolder. Default: as the folder looks.",
            ),
        ] = None,
        out: Annotated[Path, typer.Option("--out", help="Folder for checkpoint, logs and the resumable state.")],
        recipe: Annotated[
            str,
            typer.Option(
                "--recipe",
                help="paper-cifar, paper-imagenet100-v1, paper-imagenet100-v2v3, cpu-small or finetune.",
            ),
        ] = "cpu-small",
        start: Annotated[
            str | None, typer.Option("--from", help="Start from this checkpoint's weights and architecture.")
        ] = None,
        architecture: Architecture,
        input_px: Annotated[
            int | None, typer.Option("--input", help="Side of the input image, in pixels. Default: that of the images.")
        ] = None,
        epochs: Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs, instead of the recipe's.")] = None,
        lr: Annotated[float | None, typer.Option("--lr", help="Learning rate, instead of the recipe's.")] = None,
        batch: Annotated[
            int | None, typer.Option("--batch", min=1, help="Batch size, instead of the recipe's.")
        ] = None,
        augment: Annotated[
            str | None, typer.Option("--augment", help="flip, pad-crop-flip or resized-crop-jitter.")
        ] = None,
        ema: Annotated[float | None, typer.Option("--ema", help="Decay of an average of the weights.")] = None,
        anneal_to: Annotated[float | None, typer.Option("--anneal-to", help="Anneal the temperature to this.")] = None,
        anneal_epochs: Annotated[int, typer.Option("--anneal-epochs", help="Over this many epochs.")] = 10,
        label_smoothing: Annotated[
            float, typer.Option("--label-smoothing", min=0.0, max=1.0, help="Of the cross-entropy, 0 to 1.")
        ] = 0.0,
        arithmetic: Annotated[
            str, typer.Option("--arithmetic", help="Of the training itself: 32-true, bf16-mixed or 16-mixed.")
        ] = "32-true",
        threads: Annotated[int | None, typer.Option("--threads", min=1, help="CPU threads.")] = None,
        tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard logs too.")] = False,
        resume: Annotated[bool, typer.Option("--resume/--no-resume", help="Continue a run found in --out.")] = True,
        note: Annotated[
            str | None, typer.Option("--note", help="A remark for the checkpoint, e.g. on the data.")
        ] = None,
        qat: Annotated[
            str | None, typer.Option("--qat", help="Train in the arithmetic of this export, int8; needs --from.")
        ] = None,
        class_map: Annotated[
            Path | None,
            typer.Option(
                "--class-map", help="With --from: JSON from the data's folder names to the checkpoint's classes."
            ),
        ] = None,
        exif: Annotated[
            bool,
            typer.Option("--exif", help="Turn pictures as their EXIF orientation says; the checkpoint keeps that."),
        ] = False,
        acceleration: Annotated[
            str,
            typer.Option(
                "--acceleration",
                help="How the processor is used: off; on (memory layout and fused optimizer); compile (on, and torch.compile); "
                "auto is on with a GPU and off without one.",
            ),
        ] = "auto",
        as_json: JsonOption = False,
    ) -> None:
        """Train a network; a stopped run continues where it was. Start with torchrun for several processes."""
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
        with progress() as bar:
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
                f"{result.checkpoint}: {result.top1:.2f} % top-1 on the test images after {result.epochs} epochs"
            ),
        )
