"""A quantized artifact against its float form on real images: top-1, flips, noise of the scores, latency."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eamdeploy.base.chance import reference_warning
from eamdeploy.base.errors import DataError, MeasurementError
from eamdeploy.data.class_map import output_indices
from eamdeploy.data.dataset import ImageDataset, take
from eamdeploy.data.stream import chunks
from eamdeploy.inference.model_card import ModelCard
from export.quantize.quantizer import Quantizer
from runtimes.protocol import RuntimeOptions
from runtimes.registry import runtime_for

CHUNK = 32
LATENCY_ROUNDS, LATENCY_SECONDS = 40, 8.0
MOST_NOISE, NOISE_IMAGES = 0.1, 50  # 10 dB, as verify asks of an approximate artifact
SLOWER = 1.02  # above this ratio the quantized file is called slower


@dataclass(frozen=True)
class QuantizationCheck:
    """Top-1 of both on the same images.

    Attributes:
        images: how many.
        float_top1, top1: in percent of the labels, or ``None`` where the data's classes are not the artifact's.
        flips: images whose answer (the best class, or any label of several) changed.
        warning: why the float file's accuracy proves nothing; its loss is then counted as without labels.
        score_noise: then also the energy of the scores' change, relative to that of the scores: a float file that always
            gives one class has no flips to count.
    """

    images: int
    float_top1: float | None
    top1: float | None
    flips: int
    warning: str | None = None
    score_noise: float = 0.0

    @property
    def drop_points(self) -> float:
        """Top-1 lost, in points; without labels, or at chance level, the share of flips: the most that can have been lost."""
        if self.score_noise > MOST_NOISE:
            return 100.0
        if self.float_top1 is None or self.top1 is None or self.warning is not None:
            return 100 * self.flips / self.images
        return self.float_top1 - self.top1


@dataclass(frozen=True)
class LatencyPair:
    """Interleaved latencies on this host, one thread, median in milliseconds."""

    float_p50_ms: float
    p50_ms: float
    ratio: float
    rounds: int

    @property
    def slower(self) -> bool:
        """Whether the quantized file is slower than its float form."""
        return self.ratio > SLOWER


class QuantizationJudge:
    """Runs artifacts on ``dataset``; the float one's answers are remembered."""

    def __init__(
        self, dataset: ImageDataset, card: ModelCard, class_map: Mapping[str, int | str] | None = None
    ) -> None:
        self.dataset, self.card = dataset, card
        self.skipped: dict[str, None] = {}
        self.targets: npt.NDArray[np.int64] | None = None
        try:
            self.targets = np.asarray(output_indices(dataset.classes, card.classes, class_map, where=dataset.name))
        except DataError:
            if class_map is not None:
                raise
        if card.head.multi_label:
            self.targets = None  # images have one label each, and what is answered is a set
        self._best: dict[Path, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = {}

    def compare(self, float_path: Path, path: Path) -> QuantizationCheck:
        """Both on every image.

        Raises:
            UsageError: when an artifact does not load or run.
            MeasurementError: when it answers with something that is not finite.
        """
        if float_path not in self._best:
            self._best[float_path] = self._run(float_path)
        reference, labels = self._best[float_path]
        best, _ = self._run(path)
        flips = int((best != reference).any(axis=1).sum())
        if self.targets is None:
            return QuantizationCheck(len(best), None, None, flips)
        hits = [100 * float((values[:, 0] == labels).mean()) for values in (reference, best)]
        warning = reference_warning(hits[0], len(best), len(np.unique(labels)))
        noise = self.score_noise(float_path, path, NOISE_IMAGES) if warning is not None else 0.0
        return QuantizationCheck(len(best), hits[0], top1=hits[1], flips=flips, warning=warning, score_noise=noise)

    def score_noise(self, float_path: Path, path: Path, images: int) -> float:
        """Energy of the scores' change relative to the energy of the float scores around their mean."""
        few = take(self.dataset, images)
        exact = np.concatenate([scores for scores, _ in self._scores(float_path, few)])
        other = np.concatenate([scores for scores, _ in self._scores(path, few)])
        # a single score is compared over the images: within one image it is its own mean
        spread = exact - exact.mean(axis=1 if exact.shape[1] > 1 else 0, keepdims=True)
        return float(((other - exact) ** 2).sum() / max(float((spread**2).sum()), 1e-30))

    def _run(self, path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        best, labels = [], []
        for scores, indices in self._scores(path, self.dataset):
            best.append(self.card.head.answers(scores))
            image_labels = [self.dataset.label(index) for index in indices]
            labels.append(np.asarray(image_labels) if self.targets is None else self.targets[image_labels])
        return np.concatenate(best), np.concatenate(labels)

    def _scores(self, path: Path, dataset: ImageDataset) -> Iterator[tuple[npt.NDArray[np.float64], list[int]]]:
        session = runtime_for(path).load(path, RuntimeOptions(threads=1))
        names = [tensor.name for tensor in session.outputs]
        try:
            skipped: list[str] = []
            for indices, prepared in chunks(dataset, self.card.preprocessing.apply, CHUNK, skipped):
                outputs = session.run(np.stack(prepared))
                scores = self.card.head.scores(outputs, names, images=len(indices), where=path)
                if not np.isfinite(scores).all():
                    raise MeasurementError("the artifact answers with a NaN or an infinity", where=path)
                yield scores, indices
            self.skipped.update(dict.fromkeys(skipped))
        finally:
            session.close()


def interleaved_latency(float_path: Path, path: Path, quantizer: Quantizer, judge: QuantizationJudge) -> LatencyPair:
    """Median latency of both, alternating, on the first check image; at most some seconds."""
    image = judge.card.preprocessing.apply(judge.dataset.image(0))
    batch = np.repeat(image[None], quantizer.batch, axis=0)
    sessions = [runtime_for(place).load(place, RuntimeOptions(threads=1)) for place in (float_path, path)]
    try:
        samples: list[list[int]] = [[], []]
        for session in sessions:
            session.run(batch)
        began = time.monotonic()
        while len(samples[0]) < LATENCY_ROUNDS and (time.monotonic() - began < LATENCY_SECONDS or len(samples[0]) < 5):
            # ABBA: neither gains by always coming second
            for index in (0, 1) if len(samples[0]) % 2 == 0 else (1, 0):
                start = time.perf_counter_ns()
                sessions[index].run(batch)
                samples[index].append(time.perf_counter_ns() - start)
    finally:
        for session in sessions:
            session.close()
    reference, candidate = (float(np.median(values)) / 1e6 for values in samples)
    return LatencyPair(round(reference, 4), round(candidate, 4), round(candidate / reference, 4), len(samples[0]))
