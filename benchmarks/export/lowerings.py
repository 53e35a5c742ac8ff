"""Measure every lowering of every distinct layer of some networks on this host: the table behind the shipped rules.

    python -m benchmarks.export.lowerings --out export/planning/data/costs.json [--runtime onnxruntime litert ncnn mnn]
        [--network v1 v3-5x5 v1-small] [--rounds 60]

Each layer is exported alone in each form that serves it, and timed interleaved, one thread, batch 1, fp32. Rows of other runtimes,
machines and layers that --out holds already are kept, so that the table can be made in parts.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eamdeploy.networks.random_init import random_network
from eamdeploy.networks.spec import ArchSpec
from export.lowerings.base import LayerSite
from export.lowerings.fold import fold_batchnorm
from export.planning.costs import measure_layer
from export.planning.sites import find_sites
from export.planning.target import RUNTIME_FORMATS, Target, host_machine
from export.registry import get_lowering, lowering_names
from runtimes.registry import get_runtime

SMALL_POSITIONS = 16
# V1 has the pointwise and 3x3 depthwise layers, V3-Large the 5x5 ones, and a network for small pictures the smallest maps
NETWORKS: dict[str, tuple[ArchSpec, Callable[[LayerSite], bool]]] = {
    "v1": (ArchSpec(arch="mobilenet_v1", classes=100), lambda _: True),
    "v3-5x5": (
        ArchSpec(arch="mobilenet_v3_large", classes=100),
        lambda site: site.kind == "depthwise" and max(site.layer.kernel_size) == 5,
    ),
    "v1-small": (
        ArchSpec(arch="mobilenet_v1", width=0.25, input_px=32),
        lambda site: site.kind == "pointwise" and math.prod(site.output_hw) <= SMALL_POSITIONS,
    ),
}


def distinct_sites(names: Sequence[str] = tuple(NETWORKS)) -> list[LayerSite]:
    """One layer of each shape in the networks."""
    sites: dict[str, LayerSite] = {}
    for spec, counts in (NETWORKS[name] for name in names):
        network = fold_batchnorm(random_network(spec))
        for site in find_sites(network, (3, spec.input_px, spec.input_px)):
            if counts(site):
                sites.setdefault(site_key(site), site)
    return list(sites.values())


def _described(site: LayerSite) -> dict[str, Any]:
    return {
        "kind": site.kind,
        "shape": list(site.layer.bank.shape),
        "input_hw": list(site.input_hw),
        "positions": math.prod(site.output_hw),
        "stride": max(site.layer.stride),
        "kernel": max(site.layer.kernel_size),
    }


def site_key(site: LayerSite) -> str:
    """`row_key` of a layer's rows."""
    return row_key(_described(site))


def row_key(row: Mapping[str, Any]) -> str:
    """Which layer a row is of."""
    return repr([row[name] for name in ("shape", "input_hw", "stride")])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runtime", nargs="+", default=list(RUNTIME_FORMATS), choices=list(RUNTIME_FORMATS))
    parser.add_argument("--network", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--rounds", type=int, default=60)
    arguments = parser.parse_args()
    sites = distinct_sites(arguments.network)
    document = json.loads(arguments.out.read_text()) if arguments.out.exists() else {"schema_version": 1, "rows": []}
    for runtime in arguments.runtime:
        target = Target(runtime, machine=host_machine())
        rows = []
        for site in sites:
            serving = tuple(n for n in lowering_names() if get_lowering(n).applies(site, target) is None)
            times = measure_layer(site, target, serving, arguments.rounds)
            rows.append(
                {
                    "runtime": runtime,
                    "version": get_runtime(runtime).version(),
                    "machine": target.machine,
                    "precision": target.precision,
                    "threads": target.threads,
                    **_described(site),
                    "ms": times,
                }
            )
            print(runtime, site.kind, rows[-1]["shape"], site.input_hw, site.layer.stride, times, flush=True)
        keys = {row_key(row) for row in rows}
        other_rows = [
            row
            for row in document["rows"]
            if (row["runtime"], row["machine"]) != (runtime, target.machine) or row_key(row) not in keys
        ]
        document["rows"] = other_rows + rows
        text = ",\n".join("  " + json.dumps(row) for row in document["rows"])
        arguments.out.write_text(f'{{"schema_version": 1, "rows": [\n{text}\n]}}\n')


if __name__ == "__main__":
    main()
