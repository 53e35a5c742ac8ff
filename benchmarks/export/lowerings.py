"""Measure every lowering of every distinct layer of some networks on this host: the table behind the shipped rules.

    python -m benchmarks.export.lowerings --out export/planning/data/costs.json [--runtime onnxruntime litert] [--rounds 60]

Each layer is exported alone in each form that serves it, and timed interleaved, one thread, batch 1, fp32.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from eamdeploy.networks.random_init import random_network
from eamdeploy.networks.spec import ArchSpec
from export.lowerings.base import LayerSite
from export.lowerings.fold import fold_batchnorm
from export.planning.costs import measure_layer
from export.planning.sites import find_sites
from export.planning.target import Target, host_machine
from export.registry import get_lowering, lowering_names
from runtimes.registry import get_runtime

# V1 has the pointwise and 3x3 depthwise layers, V3-Large the 5x5 ones
NETWORKS = (("mobilenet_v1", ""), ("mobilenet_v3_large", "depthwise"))


def distinct_sites() -> list[LayerSite]:
    """One layer of each shape."""
    sites: dict[tuple[Any, ...], LayerSite] = {}
    for arch, kind in NETWORKS:
        network = fold_batchnorm(random_network(ArchSpec(arch=arch, classes=100)))
        for site in find_sites(network, (3, 224, 224)):
            if kind in {"", site.kind} and (not kind or max(site.layer.kernel_size) == 5):
                sites.setdefault((tuple(site.layer.bank.shape), site.input_hw, site.layer.stride), site)
    return list(sites.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runtime", nargs="+", default=["onnxruntime", "litert"])
    parser.add_argument("--rounds", type=int, default=60)
    arguments = parser.parse_args()
    sites = distinct_sites()
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
                    "kind": site.kind,
                    "shape": list(site.layer.bank.shape),
                    "input_hw": list(site.input_hw),
                    "positions": math.prod(site.output_hw),
                    "stride": max(site.layer.stride),
                    "kernel": max(site.layer.kernel_size),
                    "ms": times,
                }
            )
            print(runtime, site.kind, rows[-1]["shape"], site.input_hw, site.layer.stride, times, flush=True)
        other_rows = [row for row in document["rows"] if (row["runtime"], row["machine"]) != (runtime, target.machine)]
        document["rows"] = other_rows + rows
        text = ",\n".join("  " + json.dumps(row) for row in document["rows"])
        arguments.out.write_text(f'{{"schema_version": 1, "rows": [\n{text}\n]}}\n')


if __name__ == "__main__":
    main()
