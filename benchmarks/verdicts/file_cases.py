"""Faults and sound variations of small classifier files, as verify, evaluate and quantize see them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.verdicts import classifiers
from benchmarks.verdicts.case import VerdictCase
from benchmarks.verdicts.classifiers import Edit, on
from eamdeploy.base.intervals import paired_interval
from eamdeploy.data import embedded_sample
from eamdeploy.data.dataset import ImageDataset, Relabelled, Subset
from eamdeploy.inference.evaluate import evaluate
from eamdeploy.inference.foreign import foreign_card
from eamdeploy.parity import verify_against_artifact
from eamdeploy.pipeline.quantize.check import QuantizationJudge

HEAD = "output=logits"


def edits() -> Iterator[tuple[str, Edit]]:
    """Faults of a file: another function behind the same names."""
    for first, second in itertools.combinations(range(0, 10, 2), 2):
        yield f"classes {first} and {second} exchanged", on("w", partial(_columns, {first: second, second: first}))
    for turn in (1, 3, 5, 9):
        yield f"classes turned by {turn}", on("w", partial(np.roll, shift=turn, axis=1))
    for seed in range(4):
        yield f"rows shuffled ({seed})", on("w", partial(_shuffled, seed))
        yield f"noise on the weights ({seed})", on("w", partial(_noisy, seed, 1.0))
    yield "weights negated", on("w", np.negative)
    yield "weights zero", on("w", np.zeros_like)
    yield "weights not a number", on("w", lambda value: value * np.nan)
    yield (
        "one weight infinite",
        on("w", lambda value: np.where(np.arange(value.size).reshape(value.shape) == 4000, np.inf, value)),
    )
    yield "image upside down", on("w", lambda value: value.reshape(28, 28, 10)[::-1].reshape(784, 10))
    yield "image mirrored", on("w", lambda value: value.reshape(28, 28, 10)[:, ::-1].reshape(784, 10))
    yield "image transposed", on("w", lambda value: value.reshape(28, 28, 10).transpose(1, 0, 2).reshape(784, 10))
    yield "input negated", on("one", np.negative)
    for bias in (20.0, -20.0):
        yield f"one class favoured by {bias:g}", on("bias", partial(_favoured, bias))


def verify_edits() -> Iterator[tuple[str, Edit]]:
    """Faults that only a comparison of outputs can see: the classes stay, or another output is wrong."""
    for lost_count in range(10):
        yield f"class {lost_count} always 0", on("w", partial(_columns, {lost_count: None}))
    yield "input scaled by 255", on("one", lambda value: value * 255)
    for index in range(4):
        yield f"second output, column {index} negated", on("narrow", partial(_negated, index))
    yield "second output zero", on("narrow", np.zeros_like)
    yield "second output turned", on("narrow", partial(np.roll, shift=1, axis=1))
    yield "outputs exchanged", classifiers.exchanged
    yield "first output dropped", classifiers.dropped(0)
    yield "second output dropped", classifiers.dropped(1)
    for factor in (0.3, 0.5, 2.0, 10.0):
        yield f"scores times {factor:g}", on("w", partial(np.multiply, factor))


def sound_edits() -> Iterator[tuple[str, dict[str, Any]]]:
    """The same function in another file."""
    for opset in (13, 14, 15, 16, 17, 18, 19, 20, 21):
        yield f"opset {opset}", {"opset": opset}
    for names in ("a/", "layer.0.", "x[0]", "модель", "[/red]"):
        yield f"inner names {names}", {"names": names}
    yield "outputs and constants in another order", {"edit": classifiers.reordered}
    for seed in range(6):
        yield f"rounding on the weights ({seed})", {"edit": on("w", partial(_noisy, seed, 1e-4))}
    yield "half precision weights", {"edit": on("w", lambda value: value.astype(np.float16).astype(np.float32))}


def _columns(moved: dict[int, int | None], value: np.ndarray) -> np.ndarray:
    columns = value.copy()
    for target, source in moved.items():
        columns[:, target] = 0.0 if source is None else value[:, source]
    return columns


def _shuffled(seed: int, value: np.ndarray) -> np.ndarray:
    return value[np.random.default_rng(seed).permutation(len(value))]


def _noisy(seed: int, size: float, value: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(value.shape)
    return value + size * 10 * float(np.abs(value).mean()) * noise


def _favoured(bias: float, value: np.ndarray) -> np.ndarray:
    value[3] = bias
    return value


def _negated(index: int, value: np.ndarray) -> np.ndarray:
    value[:, index] *= -1
    return value


def cases(folder: Path) -> Iterator[VerdictCase]:
    """All of verify between files, of evaluate and of quantize's check."""
    place = itertools.count()

    def file(**how: Any) -> Path:
        return classifiers.write(folder / f"{next(place)}" / "net.onnx", **how)

    source = file()
    card = foreign_card(source, classifiers.PREPROCESSING, embedded_sample().classes, HEAD)

    def verified(how: dict[str, Any]) -> bool:
        (report,) = verify_against_artifact([file(**how)], card, limit=40)
        return report.passed and report.warning is None

    def evaluated(how: dict[str, Any], data: ImageDataset | None = None, **other: Any) -> bool:
        """An accuracy that is no worse than the good file's on the same images, and that proves something."""
        path = file(**how)
        evaluation = evaluate(path, data, card=replace(card, path=path, **other))
        if evaluation.warning or evaluation.skipped or evaluation.result.n != len(embedded_sample()):
            return False
        lost_count = round((good() - evaluation.result.top1) / 100 * evaluation.result.n)
        return (
            paired_interval(0, max(0, lost_count), evaluation.result.n)[1] >= 0
            and lost_count <= 0.01 * evaluation.result.n
        )

    @cache
    def good() -> float:
        return evaluate(source, card=card).result.top1

    judge = QuantizationJudge(embedded_sample(), card)

    def quantized(how: dict[str, Any], with_card: QuantizationJudge = judge) -> bool:
        outcome = with_card.compare(source, file(**how))
        return outcome.drop_points <= 1.0 and outcome.warning is None

    checks: tuple[tuple[str, Callable[[dict[str, Any]], bool]], ...] = (
        ("verify", verified),
        ("evaluate", evaluated),
        ("quantize", quantized),
    )
    for command, passes in checks:
        for name, edit in edits():
            yield VerdictCase(command, name, True, partial(passes, {"edit": edit}))
        for name, how in sound_edits():
            yield VerdictCase(command, name, False, partial(passes, how))
    for name, edit in verify_edits():
        yield VerdictCase("verify", name, True, partial(verified, {"edit": edit}))
    yield VerdictCase("quantize", "outputs exchanged", True, partial(quantized, {"edit": classifiers.exchanged}))
    for name, mean, std in (
        ("mean and std of [0, 255]", 73.0, 90.0), ("mean 5", 5.0, 0.353), ("mean -90", -90.0, 0.353),
    ):  # fmt: skip
        wrong = replace(classifiers.PREPROCESSING, mean=(mean,), std=(std,))
        yield VerdictCase("evaluate", f"preprocessing: {name}", True, partial(evaluated, {}, preprocessing=wrong))
        guessing = QuantizationJudge(embedded_sample(), replace(card, preprocessing=wrong))
        yield VerdictCase("quantize", f"the float file guesses: {name}", True, partial(quantized, {}, guessing))
    classes = embedded_sample().classes
    for turn in (1, 2, 5, 9):
        permuted = (*classes[turn:], *classes[:turn])
        yield VerdictCase("evaluate", f"labels turned by {turn}", True, partial(evaluated, {}, classes=permuted))
    yield VerdictCase("evaluate", "labels of nine classes", True, partial(evaluated, {}, classes=classes[:9]))
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(embedded_sample())).tolist()
        shuffled = Subset(embedded_sample(), order)
        yield VerdictCase("evaluate", f"images in another order ({seed})", False, partial(evaluated, {}, shuffled))
    yield VerdictCase("evaluate", "classes of the data in another order", False, partial(evaluated, {}, _turned()))


def _turned() -> ImageDataset:
    """The embedded images with their class list turned: each image keeps its class's name."""
    sample = embedded_sample()
    turned = (*sample.classes[4:], *sample.classes[:4])
    numbers = [turned.index(name) for name in sample.classes]
    return Relabelled(sample, numbers, turned)
