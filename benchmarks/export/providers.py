"""ONNX Runtime's execution providers held against its CPU: do they load, are they right, and what does the exact network cost.

    python -m benchmarks.export.providers --provider cuda,tensorrt --out out/providers [--rounds 200] [--images DIR]

MobileNetV1 x1.0, 224 px, random weights, one image a call, exported as every user's files are. Each file runs on the CPU and on
every provider; outputs are compared on 100 images, then static and exact are timed in turns within one process. Where a provider
does not start, its row says why, and the exit code is 5.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import eamdeploy
from eamdeploy.base.errors import EamdeployError
from eamdeploy.base.files import atomic_write_text
from eamdeploy.data.open import open_dataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.data.sample import embedded_sample
from eamdeploy.networks.random_init import write_random
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.parity.compare.metrics import snr_db
from eamdeploy.pipeline.export import ExportOptions
from runtimes.batching import sample_feeds
from runtimes.protocol import RuntimeOptions, Session
from runtimes.registry import runtime_for

PX, IMAGES = 224, 100
CONVOLUTIONS = ("static", "eam")
WARM_UP = 10
# TF32, the default of NVIDIA's convolutions, keeps 10 bits of each factor: 60 dB a layer. A wrong kernel is below 20 dB.
LEAST_SNR_DB = 40.0


@dataclass(frozen=True)
class ProviderRow:
    """One file on one provider.

    Attributes:
        problem: why it was not measured; every figure is None then.
        least_snr_db: over all images, against the CPU; None also where the outputs are the same to the bit.
        agreement: share of the images with the CPU's class.
        p50_ms: of single calls.
        build_ms: of the engine, where one was built.
    """

    provider: str
    convolution: str
    problem: str | None = None
    least_snr_db: float | None = None
    agreement: float | None = None
    p50_ms: float | None = None
    build_ms: float | None = None

    @property
    def passed(self) -> bool:
        """Whether it ran and computes what the CPU does."""
        exact = self.least_snr_db is None or self.least_snr_db >= LEAST_SNR_DB
        return self.problem is None and self.agreement == 1 and exact


def artifacts(folder: Path, px: int = PX) -> dict[str, Path]:
    """The static and the exact dynamic network as .onnx files."""
    files = {}
    for conv in CONVOLUTIONS:
        files[conv] = folder / f"{conv}.onnx"
        if not files[conv].exists():
            checkpoint = folder / f"{conv}.safetensors"
            write_random(ArchSpec(arch="mobilenet_v1", conv=conv, classes=100, input_px=px), checkpoint)
            eamdeploy.export(checkpoint, folder, formats=["onnx"], options=ExportOptions(name=conv, images=8))
    return files


def measure(files: Mapping[str, Path], providers: Sequence[str], images: np.ndarray, rounds: int) -> list[ProviderRow]:
    """A row per file and provider, the CPU first."""
    rows: dict[tuple[str, str], ProviderRow] = {}
    sessions: dict[tuple[str, str], Session] = {}
    for provider in dict.fromkeys(("cpu", *providers)):
        for conv, path in files.items():
            try:
                session = runtime_for(path).load(path, RuntimeOptions(provider=provider))
                outputs = session.run(images)[0]
            except EamdeployError as error:
                rows[provider, conv] = ProviderRow(provider, conv, problem=str(error))
                continue
            sessions[provider, conv] = session
            reference = outputs if provider == "cpu" else sessions["cpu", conv].run(images)[0]
            noise = [value for pair in zip(outputs, reference, strict=True) if (value := snr_db(*pair)) is not None]
            rows[provider, conv] = ProviderRow(
                provider,
                conv,
                least_snr_db=min(noise, default=None),
                agreement=float(np.mean(outputs.argmax(-1) == reference.argmax(-1))),
                build_ms=getattr(session, "engine_build_ms", None),
            )
    return [_with_time(row, times) for row, times in zip(rows.values(), _in_turns(sessions, rows, rounds), strict=True)]


def images_for(folder: Path | None, px: int = PX, count: int = IMAGES) -> np.ndarray:
    """``[count, 3, px, px]`` float32: real images, prepared as the random networks ask."""
    dataset = open_dataset(folder) if folder else embedded_sample()
    return Preprocessing(px).apply_batch(dataset.image(index) for index in range(min(count, len(dataset))))


def _in_turns(
    sessions: Mapping[tuple[str, str], Session], rows: Mapping[tuple[str, str], ProviderRow], rounds: int
) -> list[list[float]]:
    calls = {key: session.timed_call(sample_feeds(session.inputs)) for key, session in sessions.items()}
    times: dict[tuple[str, str], list[float]] = {key: [] for key in rows}
    for turn in range(WARM_UP + rounds):
        for key, call in calls.items():
            started = time.perf_counter_ns()
            call()
            if turn >= WARM_UP:
                times[key].append((time.perf_counter_ns() - started) / 1e6)
    return list(times.values())


def _with_time(row: ProviderRow, times: Sequence[float]) -> ProviderRow:
    return ProviderRow(**{**asdict(row), "p50_ms": round(statistics.median(times), 4) if times else None})


def table(rows: Sequence[ProviderRow]) -> str:
    """The rows in Markdown; the ratio is exact against static on the same provider."""
    static = {row.provider: row.p50_ms for row in rows if row.convolution == "static"}
    lines = [
        "| provider | network | p50 ms | of static | least SNR dB | same class | engine built in s |",
        "|---" * 7 + "|",
    ]
    for row in rows:
        twin = static.get(row.provider)
        if row.p50_ms is None or twin is None or row.agreement is None:
            lines.append(f"| {row.provider} | {row.convolution} | not run: {row.problem} |" + " – |" * 4)
            continue
        noise = "the same bits" if row.least_snr_db is None else f"{row.least_snr_db:.1f}"
        build = "–" if row.build_ms is None else f"{row.build_ms / 1000:.1f}"
        lines.append(
            f"| {row.provider} | {row.convolution} | {row.p50_ms:.3f} | {row.p50_ms / twin:.2f} | {noise} "
            f"| {row.agreement:.0%} | {build} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--provider", default="cuda,tensorrt", help="comma-separated: cuda, tensorrt")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--images", type=Path, help="folder of labelled images instead of the shipped sample")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows = measure(
        artifacts(arguments.out), arguments.provider.split(","), images_for(arguments.images), arguments.rounds
    )
    atomic_write_text(arguments.out / "providers.json", json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    atomic_write_text(arguments.out / "providers.md", table(rows))
    print(table(rows))
    raise SystemExit(0 if all(row.passed for row in rows) else 5)


if __name__ == "__main__":
    main()
