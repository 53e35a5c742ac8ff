"""Accuracy on the device: images go there in shards, outputs come back, and a lost link loses at most one shard."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from devices.session.run import BoardSession
from devices.session.worker import RemoteWorker
from eamdeploy.base.errors import MeasurementError
from eamdeploy.base.head_metric import HeadMetric
from eamdeploy.base.progress import Progress
from eamdeploy.base.results import AccuracyResult, pack_correct
from eamdeploy.inference.head_metrics import exact_matches, head_metric
from eamdeploy.measurement.accuracy.images import Images
from eamdeploy.measurement.accuracy.progress_store import ShardStore
from eamdeploy.measurement.request import BenchCase
from runtimes.registry import get_runtime
from runtimes.trial.session import load_untrusted

SHARD_BYTES = 2 << 20  # of pixels; small enough to lose, large enough that the round trip doesn't matter
_MOST_IMAGES = 100  # in a shard
Outputs = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DeviceOutputs:
    """What the board computed.

    Attributes:
        outputs: float32 (N, classes), in the order of the images.
        load: the runner's answer to loading.
        resumed: images whose outputs were kept from an earlier try.
    """

    outputs: Outputs
    load: dict[str, object]
    resumed: int


async def run_on_device(
    session: BoardSession,
    case: BenchCase,
    images: Images,
    *,
    progress: Progress,
    reach: Callable[[float], None] | None = None,
    root: Path | None = None,
) -> DeviceOutputs:
    """Run all images on the board, going on where an earlier try was cut.

    Args:
        progress: receives that it begins.
        reach: receives the share of the images that is done.

    Raises:
        BoardUnreachable: the link was lost; finished shards are kept, and the same call goes on from there.
        MeasurementError: the board's inputs were not bit for bit those of the host.
    """
    async with session.worker() as worker:
        remote = await session.push(case.artifact)
        load = await worker.load(remote, case.runtime, case.options)
        store = ShardStore(_key(session, case, images, str(load["version"])), root)
        shards = _shards(images)
        parts = [store.load(index, stop - start) for index, (start, stop) in enumerate(shards)]
        progress.stage(f"{case.title}: {len(images)} images")
        resumed = sum(len(part) for part in parts if part is not None)
        if resumed:
            progress.stage(f"{case.title}: going on after {resumed} images")
        for index, (start, stop) in enumerate(shards):
            if parts[index] is None:
                part = await _one_shard(session, worker, images, start, stop)
                _check_shape(session, part, parts)
                store.save(index, part)
                parts[index] = part
            if reach is not None:
                reach(stop / len(images))
    outputs = np.concatenate([part for part in parts if part is not None])
    store.clear()
    return DeviceOutputs(outputs, load, resumed)


def run_on_host(case: BenchCase, images: Images, *, stopped: Callable[[], bool] = lambda: False) -> Outputs | None:
    """The same artifact and images in this machine's runtime.

    Returns:
        float32 (N, classes); None where the runtime is not installed, or it was ``stopped`` meanwhile.
    """
    runtime = get_runtime(case.runtime)
    if not runtime.available():
        return None
    session = load_untrusted(
        runtime,
        case.artifact,
        replace(case.options, threads=1, affinity=None, provider=None, spinning=None),
    )
    names = [tensor.name for tensor in session.outputs]
    try:
        outputs = []
        for index in range(len(images)):
            if stopped():
                return None
            answer = session.run(_normalized(images, index, index + 1))
            outputs.append(images.head.scores(answer, names, images=1, where=case.artifact))
    finally:
        session.close()
    return np.concatenate(outputs).astype(np.float32)


def score(outputs: Outputs, images: Images, reference: Outputs | None) -> AccuracyResult:
    """Top-1, top-5, which classes were taken for which, and the images whose class differs from the reference's."""
    rows = outputs.reshape(len(outputs), -1).astype(np.float64)
    metric = head_metric(images.head, rows, images.labels)
    if images.head.multi_label:
        return _score_labels(rows, images, reference, metric)
    flat = _ranking(outputs, images)
    classes = flat.shape[1]
    best = flat.argmax(axis=1)
    top5 = None
    if classes > 5 and images.head.kind != "ids":
        leading = np.argsort(-flat, axis=1, kind="stable")[:, :5]
        top5 = float(np.mean((leading == images.labels[:, None]).any(axis=1)) * 100)
    # pairs that occur, not a matrix: with 6,000 classes that would be 36 million numbers
    pairs, counts = np.unique(np.stack([images.labels, best], axis=1), axis=0, return_counts=True)
    flips = None if reference is None else int(np.sum(_ranking(reference, images).argmax(axis=1) != best))
    return AccuracyResult(
        top1=float(np.mean(best == images.labels) * 100),
        n=len(images),
        top5=top5,
        flips=flips,
        confused=tuple((int(a), int(b), int(n)) for (a, b), n in zip(pairs, counts, strict=True)),
        data=images.name,
        correct=pack_correct((best == images.labels).tolist()),
        images=images.identity,
        metric=metric,
    )


def _score_labels(
    rows: npt.NDArray[np.float64], images: Images, reference: Outputs | None, metric: HeadMetric | None
) -> AccuracyResult:
    """Mean average precision, and how often exactly an image's labels are said."""
    if metric is None:
        raise MeasurementError("none of the images has a label, so there is nothing to find", where=images.name)
    right = exact_matches(images.head, rows, images.labels.astype(bool))
    flips = None
    if reference is not None:
        other = reference.reshape(len(reference), -1).astype(np.float64)
        flips = int(images.head.changed(rows, other).sum())
    return AccuracyResult(
        top1=float(right.mean() * 100),
        n=len(images),
        flips=flips,
        data=images.name,
        correct=pack_correct(right.tolist()),
        images=images.identity,
        metric=metric,
    )


async def _one_shard(session: BoardSession, worker: RemoteWorker, images: Images, start: int, stop: int) -> Outputs:
    scale, shift = images.scale_and_shift
    pixels = images.pixels[start:stop]
    # with the message, not as a file: each file costs a board the start of several programs
    answer = await worker.infer(pixels.tobytes(), pixels.shape, scale, shift, images.head.output)
    expected = await asyncio.to_thread(_digest, images, start, stop)
    if answer["input_sha256"] != expected:
        what = "the board's inputs are not bit for bit those of this machine"
        raise MeasurementError(what, where=session.transport.name, hint="please report the board and its numpy version")
    outputs = np.frombuffer(base64.b64decode(answer["outputs"]), dtype=np.float32)
    if np.isnan(outputs).any():
        what = f"the board's outputs are not numbers: {int(np.isnan(outputs).sum()):,} of {outputs.size:,} are NaN"
        hint = "'eamdeploy verify' names the layer where they begin"
        raise MeasurementError(what, where=f"{session.transport.name}, field 'outputs'", hint=hint)
    return outputs.reshape(answer["shape"])


def _ranking(outputs: Outputs, images: Images) -> npt.NDArray[np.float64]:
    """Scores whose largest is the answer, (N, classes)."""
    rows = outputs.reshape(len(outputs), -1).astype(np.float64)
    return images.head.ranking(rows, images.classes)


def _check_shape(session: BoardSession, part: Outputs, parts: list[Outputs | None]) -> None:
    known_part = next((other for other in parts if other is not None), part)
    if part.shape[1:] != known_part.shape[1:]:
        why = f"{list(part.shape[1:])} for some images and {list(known_part.shape[1:])} for others"
        where = f"{session.transport.name}, field 'shape'"
        raise MeasurementError("the board's outputs change their shape", where=where, why=why)


def _normalized(images: Images, start: int, stop: int) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(images.preprocessing.normalize(images.pixels[start:stop]).transpose(0, 3, 1, 2))


def _digest(images: Images, start: int, stop: int) -> str:
    return hashlib.sha256(_normalized(images, start, stop).tobytes()).hexdigest()


def _shards(images: Images) -> list[tuple[int, int]]:
    size = max(1, min(_MOST_IMAGES, SHARD_BYTES // max(1, images.pixels[0].nbytes)))
    return [(start, min(start + size, len(images))) for start in range(0, len(images), size)]


def _key(session: BoardSession, case: BenchCase, images: Images, version: str) -> str:
    parts = [case.sha256, images.digest, version, session.transport.name, asdict(case.options)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
