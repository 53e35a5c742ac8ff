"""Mean average precision and balanced accuracy: hand-worked cases, leaving each image out, intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eamdeploy.base.chance import chance_warning
from eamdeploy.base.head_metric import HeadMetric
from eamdeploy.base.results import AccuracyResult
from eamdeploy.inference.head import Head
from eamdeploy.inference.head_metrics import (
    average_precision,
    balanced_accuracy,
    head_metric,
    mean_average_precision,
    without_each,
)
from eamdeploy.runs.compare.proportions import compare_metrics

# by hand: (scores, which images have the label, the average precision)
CASES = [
    ([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0], 1.0),
    ([0.9, 0.8, 0.7, 0.6], [0, 0, 1, 1], (1 / 3 + 2 / 4) / 2),
    ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], (1 / 1 + 2 / 3) / 2),  # scikit-learn's own example: 0.83
    ([0.5, 0.5, 0.5, 0.5], [1, 0, 0, 0], 1 / 4),  # equal scores count together
    ([0.9, 0.5, 0.5, 0.1], [1, 1, 0, 1], (1 / 1 + 2 / 3 + 3 / 4) / 3),
    ([0.2], [1], 1.0),
]


@pytest.mark.parametrize(("scores", "truth", "expected"), CASES)
def test_average_precision_by_hand(scores: list[float], truth: list[int], expected: float) -> None:
    assert average_precision(np.asarray(scores), np.asarray(truth, bool)) == pytest.approx(expected)


def test_balanced_accuracy_by_hand() -> None:
    """Nine images of one class, eight of them right, and one of the other, wrong: 89 % and 0 %."""
    labels, answers = np.asarray([0] * 9 + [1]), np.asarray([0] * 8 + [1, 0])
    metric = balanced_accuracy(answers, labels)
    assert metric is not None
    assert metric.value == pytest.approx(100 * (8 / 9 + 0) / 2)
    assert metric.chance == 50.0


def test_what_always_answers_one_class_is_at_chance() -> None:
    labels = np.asarray([0] * 950 + [1] * 50)
    metric = balanced_accuracy(np.zeros(1000, np.int64), labels)
    assert metric is not None
    assert metric.value == pytest.approx(50.0)
    warning = chance_warning(AccuracyResult(95.0, 1000, metric=metric))
    assert warning is not None
    assert "balanced accuracy" in warning


def test_images_of_one_class_have_no_balanced_accuracy() -> None:
    assert balanced_accuracy(np.asarray([1, 1, 0]), np.asarray([1, 1, 1])) is None


def test_labels_that_no_image_has_do_not_count() -> None:
    truth = np.asarray([[1, 0, 0], [0, 0, 1], [0, 0, 1]], bool)
    scores = np.asarray([[0.9, 0.9, 0.1], [0.1, 0.9, 0.8], [0.2, 0.9, 0.05]])
    metric = mean_average_precision(scores, truth)
    assert metric is not None
    assert metric.value == pytest.approx(100 * (1.0 + (1 / 1 + 2 / 3) / 2) / 2)
    assert mean_average_precision(scores, np.zeros((3, 3), bool)) is None


draws = st.integers(0, 2**31)


@given(seed=draws, count=st.integers(2, 30), coarse=st.booleans())
@settings(max_examples=150, deadline=None)
def test_leaving_an_image_out_is_computing_it_again(seed: int, count: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 5, count) / 4 if coarse else rng.random(count)
    truth = rng.random(count) < 0.4
    truth[rng.integers(count)] = True
    metric = without_each(scores, truth)
    for index in range(count):
        rest = np.arange(count) != index
        if truth[rest].any():
            assert metric[index] == pytest.approx(average_precision(scores[rest], truth[rest]), abs=1e-12)


@given(seed=draws)
@settings(max_examples=25, deadline=None)
def test_an_interval_is_never_of_width_zero_and_holds_the_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.random((40, 3)) < 0.3
    truth[0] = True
    for scores in (rng.random(truth.shape), truth.astype(float)):
        metric = mean_average_precision(scores, truth)
        assert metric is not None
        assert metric.low <= metric.value <= metric.high
        assert metric.high - metric.low > 0.1


def test_the_interval_covers_what_it_says() -> None:
    """Over 200 draws of 300 images the 95 % interval holds the value of 200,000 at least nine times of ten."""
    rng = np.random.default_rng(0)

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        truth = rng.random((count, 2)) < np.asarray([0.4, 0.15])
        return rng.standard_normal(truth.shape) + 1.2 * truth, truth

    whole = mean_average_precision(*drawn(200_000))
    assert whole is not None
    assert whole.shares == ()
    inside = 0
    for _ in range(200):
        metric = mean_average_precision(*drawn(300))
        assert metric is not None
        inside += metric.low <= whole.value <= metric.high
    assert inside >= 180


def result(scores: np.ndarray, truth: np.ndarray) -> AccuracyResult:
    metric = head_metric(Head("multi-label"), scores, truth)
    return AccuracyResult(0.0, len(truth), data="some", images="abc", metric=metric)


def test_the_same_images_show_a_difference_that_other_images_would_not() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random((200, 4)) < 0.3
    scores = rng.random(truth.shape) * 0.7 + 0.25 * truth
    worse = scores + 0.12 * rng.standard_normal(truth.shape)
    paired = compare_metrics(result(scores, truth), result(worse, truth))
    assert paired.method == "paired"
    apart = compare_metrics(
        result(scores, truth), AccuracyResult(0.0, 200, data="others", metric=result(worse, truth).metric)
    )
    assert apart.method == "unpaired"
    assert paired.points == apart.points < 0
    assert paired.high - paired.low < 0.7 * (apart.high - apart.low)
    nothing = compare_metrics(result(scores, truth), result(scores, truth))
    assert nothing.points == 0.0
    assert nothing.low < 0.0 < nothing.high


@pytest.mark.parametrize(("kind", "name"), [("sigmoid", "balanced"), ("single-logit", "balanced"), ("logits", None)])
def test_each_head_has_the_metric_that_fits(kind: str, name: str | None) -> None:
    scores = np.asarray([[0.9], [0.1], [0.8]]) if kind != "logits" else np.eye(3)
    metric = head_metric(Head(kind), scores, np.asarray([1, 0, 0]))
    assert (None if metric is None else metric.name) == name


def test_a_metric_survives_a_file() -> None:
    import msgspec

    metric = HeadMetric(name="map", value=50.0, low=40.0, high=60.0, chance=10.0, least=1.0, shares=(1.0, -1.0))
    whole = AccuracyResult(25.0, 2, metric=metric)
    assert msgspec.json.decode(msgspec.json.encode(whole), type=AccuracyResult) == whole
