"""The options that spell out an architecture, for ``describe``, ``init``, ``train`` and ``import``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from eamdeploy.base.errors import UsageError
from eamdeploy.networks.spec import ArchSpec

PANEL = "Architecture"
Arch = Annotated[
    str | None,
    typer.Option(
        "--arch", help="mobilenet_v1, mobilenet_v2, mobilenet_v3_small or mobilenet_v3_large.", rich_help_panel=PANEL
    ),
]
Width = Annotated[float, typer.Option("--width", help="Multiplier of all channel counts.", rich_help_panel=PANEL)]
Conv = Annotated[str, typer.Option("--conv", help="static, dynet or eam.", rich_help_panel=PANEL)]
Select = Annotated[
    str,
    typer.Option(
        "--select",
        help="Channels the attention sees: rcr, cgr-random, cgr-max, interval, adjacent-1 to adjacent-4.",
        rich_help_panel=PANEL,
    ),
]
Kernels = Annotated[int, typer.Option("--kernels", help="Kernels per bank, k.", rich_help_panel=PANEL)]
Channels = Annotated[
    str | None,
    typer.Option(
        "--channels", help="Channels chosen: a number, or a fraction below 1. Default: k.", rich_help_panel=PANEL
    ),
]
Pool = Annotated[str, typer.Option("--pool", help="avg or max.", rich_help_panel=PANEL)]
PoolSize = Annotated[int, typer.Option("--pool-size", help="Side of the pooled map.", rich_help_panel=PANEL)]
Temperature = Annotated[float, typer.Option("--temperature", help="Of the softmax, tau.", rich_help_panel=PANEL)]
Seed = Annotated[
    int, typer.Option("--seed", help="Of the channel choices and the initial weights.", rich_help_panel=PANEL)
]


def parse_channels(text: str | None) -> int | float | None:
    """The value of ``--channels``.

    Raises:
        UsageError: when it is no number.
    """
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError as error:
        hint = "give a number such as 4, or a fraction such as 0.25"
        raise UsageError(f"--channels '{text}' is no number", hint=hint) from error
    return int(value) if value.is_integer() else value


@dataclass(frozen=True)
class Architecture:
    """The options that describe a network's architecture, declared once for all commands."""

    arch: Arch = "mobilenet_v1"
    width: Width = 1.0
    conv: Conv = "eam"
    select: Select = "rcr"
    kernels: Kernels = 4
    channels: Channels = None
    pool: Pool = "avg"
    pool_size: PoolSize = 5
    temperature: Temperature = 30.0
    seed: Seed = 0

    def spec(self, *, classes: int, input_px: int, in_channels: int = 3) -> ArchSpec:
        """The specification that these options describe; ``adjacent`` alone means the first quarter.

        Raises:
            UsageError: for a value out of range.
        """
        return ArchSpec(
            arch=self.arch or "",
            width=self.width,
            conv=self.conv,
            select="adjacent-1" if self.select == "adjacent" else self.select,
            kernels=self.kernels,
            channels=parse_channels(self.channels),
            pool=self.pool,
            pool_size=self.pool_size,
            temperature=self.temperature,
            classes=classes,
            input_px=input_px,
            in_channels=in_channels,
            seed=self.seed,
        )


@dataclass(frozen=True)
class OptionalArchitecture(Architecture):
    """The same options for a command that takes a checkpoint or an architecture."""

    arch: Annotated[
        str | None, typer.Option("--arch", help="Describe this architecture instead.", rich_help_panel=PANEL)
    ] = None
