"""``eamdeploy devices calibrate``: fit the latency model to your own measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from eamdeploy.cli.options.common import JsonOption, StoreOption
from eamdeploy.cli.views.output import emit, make_table


def register_devices(app: typer.Typer) -> None:
    """Add the command to the group ``devices``."""

    @app.command("calibrate")
    def calibrate(
        device: Annotated[
            str | None,
            typer.Argument(
                metavar="[DEVICE]", help="One of your boards, or a profile. Default: every device that you measured."
            ),
        ] = None,
        store: StoreOption = None,
        out: Annotated[
            Path | None,
            typer.Option("--out", envvar="EAMDEPLOY_CALIBRATIONS", help="Folder for the calibration files."),
        ] = None,
        as_json: JsonOption = False,
    ) -> None:
        """Fit the latency model to your own runs, so that estimates use them instead of the published ones.

        You need at least two networks measured on the board with the same runtime and number of threads. Best take a
        larger and a smaller one of different designs, such as MobileNetV1 0.75 at 224 pixels and MobileNetV2 0.35 at 160.
        More networks make the interval narrower.
        """
        from eamdeploy.cli.views.unreadable import note_unreadable
        from eamdeploy.measurement.calibrate import calibrate_from_runs
        from eamdeploy.runs.store import open_store

        opened = open_store(store)
        done = calibrate_from_runs(opened.timed_runs(), device=device, out=out)
        note_unreadable(opened)
        document = {
            "calibrations": [
                {
                    "name": c.name,
                    "device": c.conditions.board,
                    "runtime": c.conditions.runtime,
                    "runtime_version": c.conditions.version,
                    "precision": c.conditions.precision,
                    "threads": c.conditions.threads,
                    "networks": c.networks,
                    "runs": c.rows,
                    "tests": dict(c.tests),
                }
                for c in done.calibrations
            ],
            "runs": done.runs,
            "skipped": list(done.skipped),
        }

        def render(console: Console) -> None:
            table = make_table("device", "runtime", "precision?", ">threads??", ">networks?", ">runs??", ">error")
            for c in done.calibrations:
                error = c.tests.get("leave_network_out", {}).get("mean_abs_percent")
                on = c.conditions
                table.add_row(
                    on.board,
                    f"{on.runtime} {on.version}",
                    on.precision,
                    on.threads,
                    str(c.networks),
                    str(c.rows),
                    f"{error:.1f} %" if error is not None else "-",
                )
            console.print(table)
            console.print("error: mean, of each network without it; from three networks on", style="dim")
            for c in done.calibrations:
                if c.doubt:
                    console.print(f"{c.title}: {c.doubt}", style="yellow")
            for line in done.skipped:
                console.print(f"not used: {line}", style="dim")

        emit("calibrate", document, as_json, render)
