"""The figures of the paper that ours stand beside: Ding et al. 2021, table 2 (100 classes, 224 px)."""

from __future__ import annotations

from dataclasses import dataclass

from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.complexity import measure_complexity
from eamdeploy.networks.spec import ArchSpec

# network, parameters and multiply-accumulates in millions, as printed in the paper
TABLE_2 = (
    ("mobilenet_v1", "dynet", 14.27, 589.70),
    ("mobilenet_v1", "eam", 12.89, 583.55),
    ("mobilenet_v2", "dynet", 11.25, 336.34),
    ("mobilenet_v2", "eam", 8.98, 327.42),
)


@dataclass(frozen=True)
class PaperRow:
    """One network of table 2, in millions, the paper's and ours."""

    network: str
    paper_parameters: float
    parameters: float
    paper_macs: float
    macs: float


def paper_table() -> list[PaperRow]:
    """Table 2 with our counts beside the paper's."""
    rows = []
    for arch, conv, parameters, macs in TABLE_2:
        counted = measure_complexity(build(ArchSpec(arch=arch, conv=conv, classes=100)))
        name = f"{'DyNet' if conv == 'dynet' else 'EAM-DyNet'} {arch} x1.0"
        rows.append(PaperRow(name, parameters, counted.parameters / 1e6, macs, counted.macs.total / 1e6))
    return rows
