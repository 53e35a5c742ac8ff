"""A quantized artifact against its float form on real images: top-1, flips, noise of the scores, latency."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eamdeploy.base.chance import reference_warning
from eamdeploy.base.errors import DataError, MeasurementError
from eamdeploy.data.class_map import output_indices
from eamdeploy.data.dataset import ImageDataset, label_sets, take
from eamdeploy.data.stream import chunks
from eamdeploy.inference.head_metrics import label_matrix, mean_average_precision
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
        labels_changed: of labels that do not exclude each other: of those that either file says of an image, the percentage
            that only one of them says.
        float_map, map: their mean average precision, in percent, where the data says which image has which labels.
    """

    images: int
    float_top1: float | None
    top1: float | None
    flips: int
    warning: str | None = None
    score_noise: float = 0.0
    labels_changed: float | None = None
    float_map: float | None = None
    map: float | None = None

    @property
    def drop_points(self) -> float:
        """Top-1 or mean average precision lost, in points; without labels, or at chance level, the share of answers that changed:
        the most that can have been lost."""
        if self.score_noise > MOST_NOISE:
            return 100.0
        if self.float_map is not None and self.map is not None and self.warning is None:
            return self.float_map - self.map
        if self.labels_changed is not None:
            return self.labels_changed
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


@dataclass(frozen=True)
class _Answers:
    """What an artifact answers for the images of ``indices``."""

    indices: list[int]
    best: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]


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
        self.truth: npt.NDArray[np.bool_] | None = None
        if card.head.multi_label:
            if self.targets is not None and label_sets(dataset) is not None:
                self.truth = label_matrix(dataset, self.targets.tolist(), len(card.classes)).astype(bool)
            self.targets = None  # what is answered is a set
        self._answers: dict[Path, _Answers] = {}

    @property
    def measure(self) -> str:
        """What the loss is counted in points of."""
        if not self.card.head.multi_label:
            return "top-1"
        return "labels" if self.truth is None else "mean average precision"

    def compare(self, float_path: Path, path: Path) -> QuantizationCheck:
        """Both on every image.

        Raises:
            UsageError: when an artifact does not load or run.
            MeasurementError: when it answers with something that is not finite.
        """
        if float_path not in self._answers:
            self._answers[float_path] = self._run(float_path)
        exact, rounded = self._answers[float_path], self._run(path)
        reference, best, labels = exact.best, rounded.best, exact.labels
        if self.card.head.multi_label:
            check = self._labels_judged(exact, rounded)
            noise = self.score_noise(float_path, path, NOISE_IMAGES) if check.warning is not None else 0.0
            return replace(check, score_noise=noise)
        flips = int((best != reference).any(axis=1).sum())
        if self.targets is None:
            return QuantizationCheck(len(best), None, None, flips)
        hits = [100 * float((values[:, 0] == labels).mean()) for values in (reference, best)]
        warning = reference_warning(hits[0], len(best), len(np.unique(labels)))
        noise = self.score_noise(float_path, path, NOISE_IMAGES) if warning is not None else 0.0
        return QuantizationCheck(len(best), hits[0], top1=hits[1], flips=flips, warning=warning, score_noise=noise)

    def _labels_judged(self, exact: _Answers, rounded: _Answers) -> QuantizationCheck:
        """Label by label: an image of which 79 of 80 labels are as before has not lost them all."""
        labelled = (exact.best != 0) | (rounded.best != 0)
        changed = exact.best != rounded.best
        metrics = [
            None if self.truth is None else mean_average_precision(answers.probabilities, self.truth[answers.indices])
            for answers in (exact, rounded)
        ]
        float_map, int8_map = (None if metric is None else metric.value for metric in metrics)
        warning = None
        if metrics[0] is not None and metrics[0].low <= metrics[0].chance:
            warning = f"the float file's mean average precision is {metrics[0].value:.1f} %, no more than chance"
        elif metrics[0] is None and not labelled.any():
            warning = "neither file says any label of any image"
        return QuantizationCheck(
            images=len(exact.best),
            float_top1=None,
            top1=None,
            flips=int(changed.any(axis=1).sum()),
            warning=warning,
            labels_changed=100 * float(changed.sum() / max(int(labelled.sum()), 1)),
            float_map=float_map,
            map=int8_map,
        )

    def score_noise(self, float_path: Path, path: Path, images: int) -> float:
        """Energy of the scores' change relative to the energy of the float scores around their mean."""
        few = take(self.dataset, images)
        exact = np.concatenate([scores for scores, _ in self._scores(float_path, few)])
        other = np.concatenate([scores for scores, _ in self._scores(path, few)])
        # a single score is compared over the images: within one image it is its own mean
        spread = exact - exact.mean(axis=1 if exact.shape[1] > 1 else 0, keepdims=True)
        return float(((other - exact) ** 2).sum() / max(float((spread**2).sum()), 1e-30))

    def _run(self, path: Path) -> _Answers:
        scores, indices = [], []
        for chunk, places in self._scores(path, self.dataset):
            scores.append(chunk)
            indices += places
        head, values = self.card.head, np.concatenate(scores)
        labels = np.asarray([] if head.multi_label else [self.dataset.label(index) for index in indices], np.int64)
        return _Answers(
            indices,
            best=head.answers(values),
            probabilities=head.probabilities(values) if head.multi_label else values,
            labels=labels if self.targets is None else self.targets[labels],
        )

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
