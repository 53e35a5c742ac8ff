"""The prices, in instructions, of the units of work that a budget's search counts, from the counts of single layers.

    python -m benchmarks.export.layers.prices --rows benchmarks/export/layers/pi4.json

Fitted for each runtime by least squares of relative errors, none below 0. They are `_INSTRUCTIONS` in `export/rewrites/work.py`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.export.layers.count import LAYERS, STATIC, layer_site
from eamdeploy.networks.layers.rewritten import COLLAPSE
from export.rewrites.choice import EXACT, RewriteChoice
from export.rewrites.work import layer_work

# what the rows of these forms do is counted; columns and taps have parts that it leaves out
COUNTED = (STATIC, "aggregate", "matmul", "experts", "inputs")


def prices(rows: Sequence[dict[str, Any]]) -> tuple[list[float], float]:
    """Instructions a unit, in the order of Work's fields but the last, and the median relative error; of one runtime's rows."""
    from scipy.optimize import nnls

    sites = {title: layer_site(title) for title in LAYERS}
    form_rows = [row for row in rows if row["form"] in COUNTED]
    counts = np.array([row["instructions"] for row in form_rows], dtype=float)
    work = np.array(
        [
            astuple(
                layer_work(
                    sites[row["layer"]],
                    RewriteChoice(COLLAPSE if row["form"] == STATIC else EXACT),
                    row["form"],
                )
            )[:-1]
            for row in form_rows
        ],
        dtype=float,
    )
    solution, _ = nnls(work / counts[:, None], np.ones(len(counts)))
    return [float(f"{price:.3g}") for price in solution], float(np.median(np.abs(work @ solution / counts - 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True)
    rows = json.loads(parser.parse_args().rows.read_text(encoding="utf-8"))
    for runtime in sorted({row["runtime"] for row in rows}):
        fitted, error = prices([row for row in rows if row["runtime"] == runtime])
        print(f"{runtime}: {fitted}, median error {error:.0%}")


if __name__ == "__main__":
    main()
