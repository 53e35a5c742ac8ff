from __future__ import annotations

import numpy as np
import pytest

from eamdeploy.base.errors import UsageError
from export.quantize.observers import BINS, METHODS, Observer
from export.quantize.scales import affine


def observed(values: np.ndarray, pieces: int = 7) -> Observer:
    observer = Observer()
    for piece in np.array_split(values.astype(np.float32), pieces):
        observer.update(piece)
    return observer


def squared_error(values: np.ndarray, low: float, high: float) -> float:
    code = affine(low, high, "uint8")
    return float(((code.dequantize(code.quantize(values)) - values) ** 2).mean())


def test_minmax_is_exact_whatever_the_order() -> None:
    values = np.random.default_rng(0).standard_normal(5000) * 3
    for order in (values, values[::-1], np.sort(values)):
        low, high = observed(order).range("minmax")
        assert (low, high) == (np.float32(values.min()), np.float32(values.max()))


@pytest.mark.parametrize("method", METHODS)
def test_a_range_holds_zero_and_lies_within_the_extremes(method: str) -> None:
    for values in (
        np.random.default_rng(1).standard_normal(9000),
        np.abs(np.random.default_rng(2).standard_normal(9000)) + 1,
    ):
        low, high = observed(values).range(method)
        assert min(values.min(), 0) - 1e-6 <= low <= 0 <= high <= max(values.max(), 0) + 1e-6


def test_mse_beats_minmax_where_there_are_outliers() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([np.maximum(rng.standard_normal(16_000), 0), [60.0]])
    rng.shuffle(values)
    observer = observed(values, pieces=2)
    errors = {method: squared_error(np.minimum(values, 5), *observer.range(method)) for method in METHODS}
    assert errors["percentile"] < errors["minmax"] / 20
    # a squared error weighs the outlier itself, too: it may keep it, but must not be worse than the full range
    whole = {method: squared_error(values, *observer.range(method)) for method in ("mse", "minmax")}
    assert whole["mse"] <= whole["minmax"] * 1.01


@pytest.mark.parametrize("method", ["mse", "entropy", "percentile"])
def test_a_map_behind_a_relu_is_not_cut_to_pieces(method: str) -> None:
    """Half of it is zero: the spike must not make a method clip what is left."""
    values = np.maximum(np.random.default_rng(4).standard_normal(40_000), 0)
    low, high = observed(values).range(method)
    assert low == 0.0
    clipped = float((np.maximum(values - high, 0) ** 2).sum() / (values**2).sum())
    assert clipped < 1e-3, f"{method} clips a thousandth of the energy above {high:.2f}"


def test_images_larger_than_all_before_widen_the_histogram() -> None:
    observer = Observer()
    for scale in (1e-3, 1.0, 500.0):
        observer.update(np.linspace(-scale, scale, 1000, dtype=np.float32))
    assert observer._counts.sum() == 3000
    assert observer._counts.shape == (BINS,)
    low, high = observer.range("percentile")
    assert -500 <= low < -490
    assert 490 < high <= 500


def test_zeros_alone_give_no_range() -> None:
    assert observed(np.zeros(100)).range("mse") == (0.0, 0.0)


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(UsageError, match=r"'minmix'.*did you mean 'minmax'"):
        Observer().range("minmix")
