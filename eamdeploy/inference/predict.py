"""Classify pictures with an artifact alone: numpy, Pillow and one runtime, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eamdeploy.base.errors import UsageError
from eamdeploy.data.picture import is_turned, read_image
from eamdeploy.inference.evaluate import check_scores
from eamdeploy.inference.head import Scores
from eamdeploy.inference.model_card import ModelCard, is_artifact, read_card
from runtimes.protocol import RuntimeOptions
from runtimes.readers.formats import ARTIFACT_KINDS
from runtimes.registry import get_runtime, runtime_for
from runtimes.trial.session import load_untrusted


@dataclass(frozen=True)
class ClassScore:
    """One class of a prediction.

    Attributes:
        label: the class's name; ``index`` is its output.
        probability: as the head has it, 0 to 1; ``None`` for an artifact that answers with a class number.
        score: the artifact's own output for it; of a single score, the same for both classes.
    """

    label: str
    index: int
    probability: float | None
    score: float


@dataclass(frozen=True)
class Prediction:
    """A picture's most probable classes, the first the answer.

    Attributes:
        turned: whether its EXIF orientation was ignored: the preprocessing does not apply it.
        labels: names of the classes that the artifact says yes to: one, or of a multi-label head any number.
    """

    image: str
    top: tuple[ClassScore, ...]
    labels: tuple[str, ...]
    turned: bool = False


def predict(
    artifact: Path | str,
    images: Iterable[Path | str],
    *,
    top: int = 5,
    runtime: str | None = None,
    threads: int = 1,
    card: ModelCard | None = None,
) -> Iterator[Prediction]:
    """Classify picture files one by one.

    Args:
        artifact: an .onnx or .tflite file.
        images: picture files.
        top: classes to name of each, at most.
        runtime: by default the one for the file's ending.
        threads: of the runtime.
        card: classes, preprocessing and head of an artifact from elsewhere, which carries none.

    Raises:
        DataError: when a picture cannot be read; the message names it.
        UsageError: when the artifact is missing, damaged or foreign.
        MissingDependency: when its runtime is not installed.
    """
    if not is_artifact(artifact):
        hint = f"give {ARTIFACT_KINDS}; `eamdeploy export` makes one of a checkpoint"
        raise UsageError("predict takes an artifact", where=artifact, hint=hint)
    card = card or read_card(artifact)
    runtime_adapter = get_runtime(runtime) if runtime else runtime_for(card.path)
    session = load_untrusted(runtime_adapter, card.path, RuntimeOptions(threads=threads))
    names = [tensor.name for tensor in session.outputs]
    try:
        for name in images:
            picture = read_image(Path(name))
            prepared = card.preprocessing.apply(picture)
            scores = card.head.scores(session.run(prepared[None]), names, images=1, where=artifact)
            check_scores(scores, card)
            ignored = not card.preprocessing.exif and is_turned(picture)
            yield replace(_prediction(str(name), scores, card, top), turned=ignored)
    finally:
        session.close()


def _prediction(name: str, scores: Scores, card: ModelCard, top: int) -> Prediction:
    head = card.head
    probability = head.probabilities(scores)[0]
    # the class that the head answers with comes first: a threshold can choose the less probable of two
    answers = head.answers(scores)[0]
    classes = np.flatnonzero(answers).tolist() if head.multi_label else [int(answers[0])]
    best = -np.isin(np.arange(len(probability)), classes).astype(np.int64)
    order = np.lexsort((-probability, best))[:top]
    if head.kind == "ids":
        order = np.asarray(classes)
    probabilities = scores[0] if scores.shape[1] == len(card.classes) else np.full(len(card.classes), scores[0, 0])
    rows = (
        ClassScore(
            card.classes[i], int(i), None if head.kind == "ids" else float(probability[i]), float(probabilities[i])
        )
        for i in order
    )
    return Prediction(name, tuple(rows), tuple(card.classes[i] for i in classes))
