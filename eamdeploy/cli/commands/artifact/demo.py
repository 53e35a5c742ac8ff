"""``eamdeploy demo``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eamdeploy.cli.views.output import console

if TYPE_CHECKING:
    from eamdeploy.pipeline.demo import DemoStep


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(rich_help_panel="Start here")
    def demo(
        out: Annotated[Path, typer.Option("--out", help="Folder for everything that the demo writes.")] = Path(
            "eamdeploy-demo"
        ),
    ) -> None:
        """Run the whole path, from a shipped checkpoint to a report. It takes about a minute and no network connection."""
        from eamdeploy.pipeline.demo import run_demo

        def show(step: DemoStep) -> None:
            screen = console()
            screen.print(f"\n{step.title}", style="bold")
            screen.print(f"$ eamdeploy {' '.join(step.words)}", style="dim", soft_wrap=True)

        result = run_demo(out, show)
        total = sum(seconds for _, seconds in result.seconds)
        console().print(f"\nDone in {total:.0f} s. Open {result.report} in a browser.", soft_wrap=True)
