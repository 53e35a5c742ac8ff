"""Top-1 and top-5 of a checkpoint or an artifact on labelled images, with the one preprocessing that it carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eamdeploy.base.chance import chance_warning
from eamdeploy.base.errors import DataError, MeasurementError, UsageError
from eamdeploy.base.progress import SILENT, Progress
from eamdeploy.base.results import AccuracyResult
from eamdeploy.data import ImageDataset
from eamdeploy.data.class_map import output_indices
from eamdeploy.data.dataset import take
from eamdeploy.data.open import in_order_of
from eamdeploy.data.remarks import remarks_on
from eamdeploy.data.stream import chunks
from eamdeploy.inference.head_metrics import exact_matches, head_metric, label_matrix
from eamdeploy.inference.model_card import ModelCard, read_card
from runtimes.protocol import RuntimeOptions
from runtimes.registry import get_runtime, runtime_for
from runtimes.trial.session import load_untrusted

TOP = 5
CHUNK = 32


@dataclass(frozen=True)
class Evaluation:
    """An accuracy and what it was measured with.

    Attributes:
        skipped: names of the images that do not decode; they are not counted in ``result.n``.
        runtime: that ran the model, with its version.
        covered: classes of the network that the data has.
        notes: what a user should know of the data.
        multi_label: whether an image can have several labels: top-1 is then the share of images with exactly theirs.
    """

    model: str
    result: AccuracyResult
    skipped: tuple[str, ...]
    runtime: str
    classes: int
    covered: int
    notes: tuple[str, ...] = ()
    multi_label: bool = False

    @property
    def warning(self) -> str | None:
        """Why the accuracy proves nothing, where guessing would reach it too."""
        return chance_warning(self.result, self.covered)


def evaluate(
    model: Path | str,
    dataset: ImageDataset | None = None,
    *,
    class_map: Mapping[str, int | str] | None = None,
    limit: int | None = None,
    runtime: str | None = None,
    threads: int = 1,
    card: ModelCard | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Run ``model`` over ``dataset`` and count.

    Args:
        model: an artifact, or a checkpoint by path or shipped name.
        card: classes, preprocessing and head of an artifact from elsewhere, which carries none.
        dataset: labelled images; the embedded sample by default, where its classes are the model's.
        class_map: from the data's classes to the model's, where the names differ.
        limit: at most this many images, balanced over the classes.
        runtime: by default the one for the file's ending.
        threads: of the runtime.
        progress: receives how many images of how many are done.

    Raises:
        DataError: when the classes do not match, or no image decodes.
        UsageError: when the model is missing, damaged, or does not say how images become its input.
        MeasurementError: when the model answers with a NaN.
    """
    card = card or read_card(model)
    from eamdeploy.data import sample_for

    if dataset is not None and class_map is None:
        dataset = in_order_of(dataset, card.classes)
    data = take(dataset if dataset is not None else sample_for(card.classes), limit)
    indices_of = output_indices(data.classes, card.classes, class_map, where=data.name)
    targets = targets_of(data, indices_of, card)
    runtime_adapter = get_runtime(runtime) if runtime else runtime_for(card.path)
    session = load_untrusted(runtime_adapter, card.path, RuntimeOptions(threads=threads))
    names = [tensor.name for tensor in session.outputs]
    skipped: list[str] = []
    counted: _Count = _Count(card)
    try:
        for indices, prepared in chunks(data, card.preprocessing.apply, CHUNK, skipped):
            scores = card.head.scores(session.run(np.stack(prepared)), names, images=len(indices), where=card.path)
            check_scores(scores, card)
            counted.add(scores, targets[indices])
            progress.step(counted.n + len(skipped), len(data))
    finally:
        session.close()
    result = counted.result(data.name)
    covered = len(np.unique(indices_of))
    notes = tuple(remarks_on(data, exif=card.preprocessing.exif))
    return Evaluation(
        str(model),
        result,
        skipped=tuple(skipped),
        runtime=runtime_adapter.version(),
        classes=len(card.classes),
        covered=covered,
        notes=notes,
        multi_label=card.head.multi_label,
    )


class _Count:
    """Hits so far; the scores too, where the metric that fits the head needs them all."""

    def __init__(self, card: ModelCard) -> None:
        self.head, self.classes, self.n, self.top1, self.top5 = card.head, len(card.classes), 0, 0, 0
        self.confused = Counter[tuple[int, int]]()
        self.pieces: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]] = []

    def add(self, scores: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> None:
        """Count one piece. A tie goes to the lower index, as argmax has it."""
        if self.head.multi_label or self.head.two_classes:
            self.pieces.append((scores, labels))
        if self.head.multi_label:
            self.n += len(labels)
            self.top1 += int(exact_matches(self.head, scores, labels.astype(bool)).sum())
            return
        ranked = np.argsort(-self.head.ranking(scores, self.classes), axis=1, kind="stable")[:, :TOP]
        hits = ranked == labels[:, None]
        self.n += len(labels)
        self.top1 += int(hits[:, 0].sum())
        self.top5 += int(hits.any(axis=1).sum())
        self.confused.update(zip(labels.tolist(), ranked[:, 0].tolist(), strict=True))

    def result(self, data: str) -> AccuracyResult:
        """The counts in percent."""
        ranks = self.head.kind != "ids" and not self.head.multi_label
        top5 = 100 * self.top5 / self.n if ranks and self.classes > TOP else None
        confused = tuple((true, predicted, images) for (true, predicted), images in sorted(self.confused.items()))
        metric = None
        if self.pieces:
            scores, labels = (np.concatenate(part) for part in zip(*self.pieces, strict=True))
            metric = head_metric(self.head, scores, labels)
        if metric is None and self.head.multi_label:
            raise DataError("none of the images has a label, so there is nothing to find", where=data)
        return AccuracyResult(
            100 * self.top1 / self.n, self.n, top5, confused=confused or None, data=data, metric=metric
        )


def targets_of(data: ImageDataset, indices: Sequence[int], card: ModelCard) -> npt.NDArray[np.int64]:
    """The class of each image, ``(n,)``; for a multi-label head which image has which label, ``(n, labels)`` of 0 and 1.

    Args:
        indices: for each class of the data its number in the model.

    Raises:
        DataError: when the head is multi-label and the data gives each image one class.
    """
    if not card.head.multi_label:
        return np.asarray([indices[data.label(index)] for index in range(len(data))], dtype=np.int64)
    return label_matrix(data, indices, len(card.classes), where=card.path)


def check_scores(scores: npt.NDArray[np.float64], card: ModelCard) -> None:
    """Check that ``scores`` are finite and speak of the classes that the card names.

    Raises:
        UsageError: for another number of classes, or a class number that is none.
        MeasurementError: for a NaN or an infinity.
    """
    count = card.head.classes_of(scores.shape[1])
    if count not in (None, len(card.classes)):
        why = f"it gives {count} scores and names {len(card.classes)} classes"
        raise UsageError("the model contradicts itself", where=card.path, why=why, hint="export it again")
    if not np.isfinite(scores).all():
        raise MeasurementError("the model answers with a NaN or an infinity, so it has no accuracy", where=card.path)
    if count is None and not 0 <= scores[:, 0].min() <= scores[:, 0].max() < len(card.classes):
        why = f"it answers with class {scores[:, 0].max():g} and names {len(card.classes)} classes"
        raise UsageError(
            "the model contradicts itself", where=card.path, why=why, hint="give the labels of all classes"
        )
