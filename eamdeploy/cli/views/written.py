"""Files that a verdict is also written to: one that cannot be written must not cost the verdict."""

from __future__ import annotations

from collections.abc import Callable

import typer

from eamdeploy.base.errors import EamdeployError
from eamdeploy.cli.views.output import err_console
from eamdeploy.runs import findings


def after_verdict(write: Callable[[], None], exit_code: int) -> None:
    """Write what was asked for, once the verdict has been shown.

    Raises:
        typer.Exit: it could not be written; with the verdict's own exit code where that is not 0.
    """
    try:
        write()
    except EamdeployError as error:
        err_console().print(f"error: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(exit_code or error.exit_code) from error


def append_summary(markdown: str) -> None:
    """Append to GitHub's step summary, which nobody asked for by name: one that cannot be written is only said."""
    try:
        findings.append_step_summary(markdown)
    except EamdeployError as error:
        err_console().print(f"warning: {error}", style="yellow", markup=False, soft_wrap=True)
