"""``eamdeploy report``: everything that was measured, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eamdeploy.cli.options.common import JsonOption, StoreOption
from eamdeploy.cli.options.group import expand_groups
from eamdeploy.cli.options.selection import RunSelection


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report", rich_help_panel="Results")(report_command)


@expand_groups
def report_command(
    *,
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")] = Path("report.html"),
    markdown: Annotated[
        Path | None,
        typer.Option(
            "--markdown", help="Also write the report as Markdown to this file, for a pull request. '-' prints it."
        ),
    ] = None,
    attention: Annotated[
        list[Path] | None,
        typer.Option(
            "--attention",
            help="JSON from `eamdeploy describe CKPT --attention DIR --json`, to add the attention of each layer.",
        ),
    ] = None,
    training: Annotated[
        list[Path] | None,
        typer.Option(
            "--training",
            help="Folder of a training run (`eamdeploy train --out`), to add its curves. Several are overlaid.",
        ),
    ] = None,
    title: Annotated[str, typer.Option("--title", help="Title of the report.")] = "eamdeploy report",
    selection: RunSelection,
    last: Annotated[int, typer.Option("--last", min=1, help="Use at most this many runs, the latest ones.")] = 60,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a report on the stored runs as one self-contained HTML file."""
    from eamdeploy.base.files import atomic_write_text
    from eamdeploy.cli.views.output import console, emit
    from eamdeploy.cli.views.unreadable import note_unreadable
    from eamdeploy.runs.report import collect, render_markdown, write_html
    from eamdeploy.runs.store import open_store

    where = selection.where()
    opened = open_store(store)
    material = collect(opened, where, limit=last, attention=attention or (), training=training or ())
    note_unreadable(opened)
    written: dict[str, str] = {}
    if markdown is not None:
        text = render_markdown(material, title)
        if str(markdown) == "-":
            console().print(text, markup=False, soft_wrap=True)
            return
        atomic_write_text(markdown, text)
        written["markdown"] = str(markdown)
    size = write_html(out, material, title)
    written["html"] = str(out)
    document = {**written, "runs": len(material.runs), "bytes": size}
    count = "1 run" if len(material.runs) == 1 else f"{len(material.runs)} runs"
    words = f"{count} in {' and '.join(written.values())}"
    emit("report", document, as_json, lambda screen: screen.print(words, soft_wrap=True, markup=False))
