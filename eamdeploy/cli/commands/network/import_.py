"""``eamdeploy import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.commands.network.import_factory import import_by_factory
from eamdeploy.cli.options.arch import Architecture
from eamdeploy.cli.options.choices import ActivationName, LibraryName, PaddingName
from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.options.group import expand_groups
from eamdeploy.cli.views.output import emit, err_console

if TYPE_CHECKING:
    from eamdeploy.training.importing.session import ImportResult

_ASSUMED = "What the file does not say"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("import", rich_help_panel="Networks")
    @expand_groups
    def import_(
        *,
        source: Annotated[
            str,
            typer.Argument(
                metavar="WEIGHTS|MODULE:FACTORY",
                help="A .npz, .safetensors, .pt or .pth file, or module:function, where the function returns "
                "your network.",
            ),
        ],
        out: Annotated[Path, typer.Option("--out", help="The checkpoint to write (.safetensors).")],
        architecture: Architecture,
        weights: Annotated[
            Path | None, typer.Option("--weights", help="State dict to load into the network that the factory returns.")
        ] = None,
        classes: Annotated[
            str | None,
            typer.Option(
                "--classes",
                help="Number of classes, or a text file with their names. Default: the number in the weights.",
            ),
        ] = None,
        input_size: Annotated[
            str,
            typer.Option(
                "--input",
                help="Input size: the side of the image in pixels; for a factory also CxHxW, or CxL for sequences.",
            ),
        ] = "224",
        labels: Annotated[
            Path | None, typer.Option("--labels", help="Text file with the class names, one per line.")
        ] = None,
        library: Annotated[
            LibraryName | None,
            typer.Option(
                "--source",
                help="Library that the weights come from. Default: recognised from the names of the tensors.",
                rich_help_panel=_ASSUMED,
            ),
        ] = None,
        state: Annotated[
            str | None,
            typer.Option(
                "--state",
                help="Name of the state dict to take if the file contains several, such as model_ema.",
                rich_help_panel=_ASSUMED,
            ),
        ] = None,
        activation: Annotated[
            ActivationName | None,
            typer.Option(
                "--activation",
                help="Activation function. Default: as in the library that the weights come from.",
                rich_help_panel=_ASSUMED,
            ),
        ] = None,
        epsilon: Annotated[
            float | None,
            typer.Option(
                "--epsilon",
                help="Epsilon of the batch norms. Default: as in the library that the weights come from.",
                rich_help_panel=_ASSUMED,
            ),
        ] = None,
        padding: Annotated[
            PaddingName | None,
            typer.Option(
                "--padding",
                help="Padding of strided convolutions. Default: as in the library that the weights come from.",
                rich_help_panel=_ASSUMED,
            ),
        ] = None,
        preprocessing: Annotated[
            str | None,
            typer.Option(
                "--preprocessing",
                help='How images are prepared: JSON, or a file with it, such as {"size": 224, "resize": 256, '
                '"normalize": "imagenet"}. Default: as in the library.',
                rich_help_panel=_ASSUMED,
            ),
        ] = None,
        head: Annotated[
            str | None,
            typer.Option(
                "--head",
                metavar="KIND[,threshold=P]",
                help="Meaning of a factory's outputs: logits, probabilities, sigmoid, single-logit, multi-label or"
                " multi-label-logits. Default: logits.",
            ),
        ] = None,
        resize: Annotated[
            int | None,
            typer.Option(
                "--resize",
                help="Resize the short side of an image to this many pixels before the centre crop. Default: "
                "8/7 of the input size.",
            ),
        ] = None,
        noise: Annotated[
            float,
            typer.Option(
                "--noise",
                min=0.0,
                help="Relative difference between the kernels of a bank at the start, if static weights become"
                " a dynamic network.",
            ),
        ] = 0.002,
        check: Annotated[
            Path | None,
            typer.Option(
                "--check",
                help="Measure top-1 accuracy on these labelled images, also with the assumptions of other libraries.",
            ),
        ] = None,
        class_map: Annotated[
            Path | None,
            typer.Option(
                "--class-map",
                help='JSON file that maps the folder names of the images to the network\'s classes: {"n01440764": 1}.',
            ),
        ] = None,
        as_json: JsonOption = False,
    ) -> None:
        """Import a network from its factory function, or MobileNet weights from a file.

        A factory is called, so its code runs on this machine. Its network may have any architecture with one image as input.

        With --conv static a file of weights is imported as it is; otherwise it is the start of a dynamic network. The file does
        not contain activation, padding, epsilon or preprocessing. Import takes those of the library that the weights come from,
        and prints them.
        """
        from eamdeploy.data import open_dataset
        from eamdeploy.data.class_map import read_class_map
        from eamdeploy.inference.foreign import read_preprocessing
        from eamdeploy.training.importing.network.tracing.factory import is_factory
        from eamdeploy.training.importing.session import Said, import_weights

        count = int(classes) if classes is not None and classes.isdigit() else None
        names = labels if labels is not None or classes is None or count is not None else Path(classes)
        if is_factory(source):
            import_by_factory(
                source,
                out,
                input_size=input_size,
                weights=weights,
                labels=names,
                preprocessing=preprocessing,
                head=head,
                as_json=as_json,
            )
            return
        if head is not None:
            raise UsageError(f"--head belongs to a factory, and '{source}' is a file")
        if weights is not None:
            raise UsageError(f"--weights belongs to a factory, and '{source}' is a file", hint="name MODULE:FUNCTION")
        if not input_size.isdigit():
            raise UsageError(f"--input must be the side of the image in pixels, got '{input_size}'")
        spec = architecture.spec(classes=count or 1000, input_px=int(input_size))
        statements = Said(
            source=library,
            state=state,
            activation=activation,
            epsilon=epsilon,
            padding=padding,
            preprocessing=None if preprocessing is None else read_preprocessing(preprocessing),
            resize=resize,
            classes=count,
        )
        result = import_weights(
            Path(source),
            spec,
            out,
            labels=names,
            noise=noise,
            function_options=statements,
            check=None if check is None else open_dataset(check, "test"),
            class_map=None if class_map is None else read_class_map(class_map),
        )
        for note in result.notes:
            err_console().print(f"note: {note}", markup=False)
        emit("import", result.to_dict(), as_json, lambda console: _render(result, console))


def _render(result: ImportResult, console: Console) -> None:
    function, preprocessing = result.function, result.preprocessing
    console.print(f"wrote {result.checkpoint}: {len(result.match.matched)} tensors matched", soft_wrap=True)
    origin = f"as {result.source} has it" if result.source else "assumed"
    mean, std = (", ".join(f"{value:g}" for value in values) for values in (preprocessing.mean, preprocessing.std))
    resized = "resized" if preprocessing.resize is None else f"short side {preprocessing.resize}, centre"
    console.print(
        f"  {origin}: activation {function.activation}, padding {function.padding}, batch norm epsilon {function.epsilon:g}; "
        f"{resized} {preprocessing.size} px, {preprocessing.interpolation}, mean {mean}, std {std}",
        soft_wrap=True,
    )
    check = result.check
    if check is None:
        console.print("  give --check IMAGES to measure it under these assumptions", style="dim", soft_wrap=True)
        return
    console.print(f"  top-1 {check.top1:.2f} % on {check.images} images (chance is {check.chance:.2f} %)")
    if check.better is not None:
        console.print(
            f"  the same weights score {check.better_top1:.2f} % with {check.better_function} "
            f"(as {check.better} has it): these are probably not the right assumptions",
            style="yellow",
            soft_wrap=True,
        )
    elif check.at_chance:
        console.print(
            "  that is no better than chance: an assumption or a class name is wrong", style="yellow", soft_wrap=True
        )
