"""Classify pictures with an artifact alone: numpy, Pillow and one runtime, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eamdeploy.base.errors import UsageError
from eamdeploy.data.folder import read_image
from eamdeploy.inference.model_card import is_artifact, read_card
from runtimes.protocol import RuntimeOptions
from runtimes.registry import get_runtime, runtime_for


@dataclass(frozen=True)
class ClassScore:
    """One class of a prediction.

    Attributes:
        label: the class's name; ``index`` is its output.
        probability: softmax of the scores, 0 to 1.
        score: the network's own output.
    """

    label: str
    index: int
    probability: float
    score: float


@dataclass(frozen=True)
class Prediction:
    """A picture's most probable classes, the first the most probable."""

    image: str
    top: tuple[ClassScore, ...]


def predict(
    artifact: Path | str,
    images: Iterable[Path | str],
    *,
    top: int = 5,
    runtime: str | None = None,
    threads: int = 1,
) -> Iterator[Prediction]:
    """Classify picture files one by one.

    Raises:
        DataError: when a picture cannot be read; the message names it.
        UsageError: when the artifact is missing, damaged or foreign.
        MissingDependency: when its runtime is not installed.
    """
    if not is_artifact(artifact):
        hint = "give an .onnx or .tflite file; `eamdeploy export` makes one of a checkpoint"
        raise UsageError("predict takes an artifact", where=artifact, hint=hint)
    card = read_card(artifact)
    chosen = get_runtime(runtime) if runtime else runtime_for(card.path)
    session = chosen.load(card.path, RuntimeOptions(threads=threads))
    try:
        for name in images:
            prepared = card.preprocessing.apply(read_image(Path(name)))
            scores = np.asarray(session.run(prepared[None])[0], dtype=np.float64).reshape(-1)
            if len(scores) != len(card.classes):
                why = f"it gives {len(scores)} scores and names {len(card.classes)} classes"
                raise UsageError("the artifact contradicts itself", where=artifact, why=why, hint="export it again")
            if not np.isfinite(scores).all():
                raise UsageError(
                    "the artifact answers with a NaN or an infinity", where=artifact, hint="export it again"
                )
            shifted = np.exp(scores - scores.max())
            probability = shifted / shifted.sum()
            order = np.argsort(-scores, kind="stable")[:top]
            rows = (ClassScore(card.classes[i], int(i), float(probability[i]), float(scores[i])) for i in order)
            yield Prediction(str(name), tuple(rows))
    finally:
        session.close()
