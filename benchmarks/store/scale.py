"""A history of many runs: how long storing, listing, exporting and calibrating take: ``python -m benchmarks.store.scale``."""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eamdeploy.base.decoding import decode_run
from eamdeploy.base.errors import UsageError
from eamdeploy.base.results import Run
from eamdeploy.measurement.calibrate import calibrate_from_runs
from eamdeploy.runs.store import export_runs, open_store
from tests.eamdeploy.runs.store.crafted import GOOD
from tests.runtimes import tiny_models


@contextmanager
def _timed(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - began:.1f} s", flush=True)


def _runs(count: int, samples: int, artifacts: list[Path]) -> Iterator[tuple[Run, None]]:
    document: dict[str, Any] = copy.deepcopy(GOOD)
    document["latency_ms"]["samples"] = [9.0 + 2.0 * index / samples for index in range(samples + 1)]
    document["latency_ms"]["block"] = [index // 50 for index in range(samples + 1)]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in artifacts]
    for number in range(count):
        which = number % len(artifacts)
        document |= {"id": f"run-{number}", "artifact": str(artifacts[which]), "artifact_sha256": digests[which]}
        yield decode_run(json.dumps(document), where="made"), None


def main() -> None:
    """Print the durations."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store.scale", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eamdeploy-scale-") as name:
        folder = Path(name)
        artifacts = [folder / f"net-{number}.onnx" for number in range(3)]
        for number, path in enumerate(artifacts):
            tiny_models.write_onnx(path, layers=number + 1, px=16 * (number + 1))
        store = open_store(folder / "runs.db")
        with _timed(f"storing {arguments.runs:,} runs of {arguments.samples} samples"):
            store.append_imported(_runs(arguments.runs, arguments.samples, artifacts))
        with _timed("listing the latest 30"):
            store.runs(limit=30)
        with _timed("history export"):
            export_runs(store, folder / "history.jsonl.gz")
        with _timed("calibrate"):
            try:
                calibrate_from_runs(store.timed_runs(), out=folder / "calibrations")
            except UsageError as error:
                print(f"  {error}")


if __name__ == "__main__":
    main()
