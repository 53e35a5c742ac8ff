"""The machine during a run: temperature, clock and load over time. What no sensor gave is left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eamdeploy.base.results import Run
from eamdeploy.runs.report.content.words import figure, label, shorten
from eamdeploy.runs.report.model import Figure
from eamdeploy.runs.report.render.svg import SERIES, draw_figure

_SENSORS = (
    ("temperature_c", "°C"),
    ("clock_mhz", "MHz"),
    ("load1", "load"),
    ("power_mw", "mW"),
)
_MOST = 6


def conditions_figure(name: str, runs: Sequence[Run]) -> Figure | None:
    """A row a sensor, a line a run; ``None`` where no sensor was read more than once."""
    runs_shown = [run for run in runs if any(len(_series(run, sensor)[0]) > 1 for sensor, _ in _SENSORS)][:_MOST]
    sensors = [(s, unit) for s, unit in _SENSORS if any(len(_series(run, s)[0]) > 1 for run in runs_shown)]
    if not sensors:
        return None

    def draw(canvas: Any, narrow: bool) -> None:
        grid = canvas.subplots(len(sensors), 1, sharex=True, squeeze=False)
        for axes, (sensor, unit) in zip(grid[:, 0], sensors, strict=True):
            for index, run in enumerate(runs_shown):
                times, values = _series(run, sensor)
                style = {"lw": 1.6, "marker": "o", "ms": 3, "color": SERIES[index]}
                axes.plot(times, values, label=shorten(label(run), 36 if narrow else 90), **style)
            axes.set_ylabel(unit)
            if sensor == "load1":
                axes.set_ylim(bottom=0)
            axes.margins(y=0.2)
        grid[-1, 0].set_xlabel("seconds since the run began")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside upper left", ncols=1)

    described = "Sensor readings over time. " + "; ".join(
        f"{label(run)}: " + ", ".join(_range(run, sensor, unit) for sensor, unit in sensors if _series(run, sensor)[0])
        for run in runs_shown
    )
    height = 0.5 + 1.35 * len(sensors) + 0.2 * len(runs_shown)
    caption = "What the machine's own sensors said during the latest runs."
    return draw_figure(name, caption, described, draw, wide=height, narrow=height)


def _series(run: Run, sensor: str) -> tuple[list[float], list[float]]:
    points = [(s.t_s, getattr(s, sensor)) for s in run.conditions.samples if getattr(s, sensor) is not None]
    return [moment for moment, _ in points], [float(value) for _, value in points]


def _range(run: Run, sensor: str, unit: str) -> str:
    values = _series(run, sensor)[1]
    return f"{figure(min(values))} to {figure(max(values))} {unit}"
