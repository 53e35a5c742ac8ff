"""Axes as the figures share them."""

from __future__ import annotations

from typing import Any

from eamdeploy.runs.report.content.words import figure


def plain_log(axis: Any, low: float, high: float) -> None:
    """Label a logarithmic ``axis`` with plain numbers: 1, 2, 5 of each decade, or more where it spans little."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    steps = (1.0, 2.0, 5.0) if high > 8 * low else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    axis.set_major_locator(LogLocator(base=10, subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: figure(value)))
    axis.set_minor_formatter(NullFormatter())
