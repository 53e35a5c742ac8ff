"""``eamdeploy import``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eamdeploy.cli.options.arch import Architecture
from eamdeploy.cli.options.common import JsonOption
from eamdeploy.cli.options.group import expand_groups
from eamdeploy.cli.views.output import emit, err_console


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("import", rich_help_panel="Networks")
    @expand_groups
    def import_(
        source: Annotated[Path, typer.Argument(metavar="WEIGHTS", help="A .npz, .safetensors, .pt or .pth file.")],
        out: Annotated[Path, typer.Option("--out", help="The checkpoint to write (.safetensors).")],
        architecture: Architecture,
        classes: Annotated[int, typer.Option("--classes", help="Outputs of the classifier.")] = 1000,
        input_px: Annotated[int, typer.Option("--input", help="Side of the input image, in pixels.")] = 224,
        labels: Annotated[Path | None, typer.Option("--labels", help="Class names, one a line.")] = None,
        resize: Annotated[
            int | None, typer.Option("--resize", help="Short side before the centre crop. Default: 8/7 of the input.")
        ] = None,
        noise: Annotated[
            float, typer.Option("--noise", min=0.0, help="Relative spread of each bank's kernels.")
        ] = 0.002,
        as_json: JsonOption = False,
    ) -> None:
        """Bring in a static MobileNet's weights, as they are (--conv static) or as the start of a dynamic network."""
        from eamdeploy.training.importing.session import import_weights

        spec = architecture.spec(classes=classes, input_px=input_px,
        )  # fmt: skip
        result = import_weights(source, spec, out, labels=labels, resize=resize, noise=noise)
        match = result.match
        if match.missing:
            err_console().print(f"note: not in the file, left at random: {', '.join(match.missing[:4])}")
        document = {"checkpoint": str(result.checkpoint), "matched": match.matched, "missing": match.missing}
        emit(
            "import",
            document,
            as_json,
            lambda console: console.print(f"wrote {result.checkpoint}: {len(match.matched)} tensors matched"),
        )
