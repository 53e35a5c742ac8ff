"""The options that spell out an architecture, for ``describe``, ``init``, ``train`` and ``import``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.options.choices import ArchName, ConvName, PoolName, SelectName
from eamdeploy.networks.spec import ArchSpec

PANEL = "Architecture"
Arch = Annotated[
    ArchName | None,
    typer.Option("--arch", help="Network family to build.", rich_help_panel=PANEL),
]
Width = Annotated[
    float,
    typer.Option("--width", help="Multiply the number of channels of every layer by this.", rich_help_panel=PANEL),
]
Conv = Annotated[
    ConvName,
    typer.Option(
        "--conv",
        help="Kind of convolution: static (ordinary), dynet (DyNet) or eam (EAM-DyNet, with channel selection).",
        rich_help_panel=PANEL,
    ),
]
Select = Annotated[
    SelectName,
    typer.Option(
        "--select",
        help="How the attention of EAM layers chooses the channels that it looks at.",
        rich_help_panel=PANEL,
    ),
]
Kernels = Annotated[
    int,
    typer.Option(
        "--kernels",
        help="Number of kernels in the bank of each dynamic layer (k in the papers).",
        rich_help_panel=PANEL,
    ),
]
Channels = Annotated[
    str | None,
    typer.Option(
        "--channels",
        help="Number of channels that the attention looks at, or a fraction of them below 1. Default: "
        "as many as kernels.",
        rich_help_panel=PANEL,
    ),
]
Pool = Annotated[
    PoolName,
    typer.Option(
        "--pool", help="How the attention pools its channels: by average or by maximum.", rich_help_panel=PANEL
    ),
]
PoolSize = Annotated[
    int,
    typer.Option(
        "--pool-size", help="Side of the pooled map that the attention works on, in cells.", rich_help_panel=PANEL
    ),
]
Temperature = Annotated[
    float,
    typer.Option(
        "--temperature",
        help="Temperature of the attention's softmax. A higher value mixes the kernels more evenly.",
        rich_help_panel=PANEL,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", help="Seed of the random numbers: channel choices and initial weights.", rich_help_panel=PANEL
    ),
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
        ArchName | None,
        typer.Option("--arch", help="Describe this network family instead of a checkpoint.", rich_help_panel=PANEL),
    ] = None
