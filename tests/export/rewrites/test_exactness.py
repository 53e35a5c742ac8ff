"""What is said to be exact is exact, whatever the bank and the weights, and no reported bound is ever exceeded."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from export.lowerings.base import LayerSite
from export.planning.target import Target
from export.rewrites.attention_stats import effective_rank, kernel_bound, layer_attention
from export.rewrites.collapse import Collapse
from export.rewrites.factors import directions, factor_bound, full_rank, ranked_factors
from export.rewrites.low_rank import LowRank
from export.rewrites.mean_residual import MeanResidual
from tests.export.rewrites.layers import SIZE, Case, cases, make_layer

EVERY = settings(max_examples=60, deadline=None)


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    limit = 1e-10 * max(1e-30, float(expected.abs().max()))
    assert float((actual - expected).abs().max()) <= limit


def images(case: Case) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(len(case.alpha), case.layer.in_channels, SIZE, SIZE, generator=generator, dtype=torch.float64)


@EVERY
@given(cases())
def test_mean_and_all_directions_are_the_bank(case: Case) -> None:
    rewritten = MeanResidual().rewrite(case.layer, case.mean, case.covariance)
    x = images(case)
    with torch.no_grad():
        assert_close(rewritten.mix(x, case.alpha), case.layer.mix(x, case.alpha))


@EVERY
@given(cases(), st.sampled_from(["onnxruntime", "litert"]))
def test_the_lowered_mean_and_residual_is_exact(case: Case, runtime: str) -> None:
    site = LayerSite("layer", case.layer, (SIZE, SIZE))
    x = images(case)[:1]
    with torch.no_grad():
        lowered = MeanResidual()(site, Target(runtime=runtime)).double()
        assert_close(lowered.convolve(x, case.alpha[:1]), case.layer.mix(x, case.alpha[:1]))


@EVERY
@given(cases())
def test_low_rank_at_full_rank_is_the_bank(case: Case) -> None:
    rewritten = LowRank().rewrite(case.layer, case.mean, case.covariance)
    x = images(case)
    with torch.no_grad():
        assert_close(rewritten.mix(x, case.alpha), case.layer.mix(x, case.alpha))


@EVERY
@given(cases(), st.sampled_from(["onnxruntime", "litert"]))
def test_the_lowered_low_rank_is_exact_for_a_whole_batch(case: Case, runtime: str) -> None:
    site = LayerSite("layer", case.layer, (SIZE, SIZE))
    x = images(case)
    with torch.no_grad():
        lowered = LowRank()(site, Target(runtime=runtime, batch=len(x))).double()
        assert_close(lowered.convolve(x, case.alpha), case.layer.mix(x, case.alpha))


@EVERY
@given(cases())
def test_collapse_is_the_kernel_under_the_mean_weights(case: Case) -> None:
    conv = Collapse().rewrite(case.layer, case.mean)
    x = images(case)
    with torch.no_grad():
        assert_close(conv(x), case.layer.mix(x, case.mean.expand(len(x), -1)))


@EVERY
@given(cases())
def test_the_bounds_on_the_distance_from_the_mean_kernel_hold(case: Case) -> None:
    flat = case.layer.bank.detach().flatten(1)
    distance = (case.kernels().flatten(1) - case.mean @ flat).norm(dim=1)
    bound = kernel_bound(case.alpha - case.mean, flat)
    assert bool((distance <= bound * (1 + 1e-9) + 1e-12).all())
    attention = layer_attention("layer", case.layer.bank, case.alpha)
    relative = distance / (case.mean @ flat).norm()
    slack = 1 + 1e-6
    # the Gram matrix loses half of float64's digits where W(x) is the mean kernel itself
    assert attention.distance_max == pytest.approx(float(relative.max()), rel=1e-5, abs=1e-7)
    assert attention.distance_max <= attention.bound_max * slack + 1e-7
    assert attention.distance_max <= attention.worst_case * slack + 1e-7


@EVERY
@given(cases(), st.integers(0, 2**16))
def test_the_worst_case_holds_for_images_not_seen(case: Case, seed: int) -> None:
    attention = layer_attention("layer", case.layer.bank, case.alpha)
    flat = case.layer.bank.detach().flatten(1)
    logits = 20 * torch.randn(
        16, case.layer.kernels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    unseen = torch.softmax(logits, dim=1)
    distance = (unseen @ flat - case.mean @ flat).norm(dim=1) / (case.mean @ flat).norm()
    assert float(distance.max()) <= attention.worst_case * (1 + 1e-9)


@EVERY
@given(cases(), st.integers(1, 12))
def test_the_bound_of_a_low_rank_holds(case: Case, rank: int) -> None:
    rank = min(rank, full_rank(tuple(case.layer.bank.shape), case.layer.groups))
    rewritten = LowRank(rank).rewrite(case.layer, case.mean, case.covariance)
    parts = directions(case.layer.bank, case.mean, case.covariance)
    bound = factor_bound(parts, ranked_factors(parts, case.layer.groups, rank), case.alpha - case.mean)
    size = float(case.layer.bank.detach().abs().max())
    for alpha, limit in zip(case.alpha, bound, strict=True):
        truth = torch.tensordot(alpha, case.layer.bank.detach(), dims=1)
        assert float((rewritten.kernel(alpha).detach() - truth).norm()) <= float(limit) * (1 + 1e-9) + 1e-10 * size


@EVERY
@given(cases(), st.sampled_from(["int8", "fp16"]))
def test_fewer_bits_err_by_no_more_than_half_a_step_of_each_direction(case: Case, storage: str) -> None:
    rewritten = MeanResidual(storage).rewrite(case.layer, case.mean, case.covariance)
    parts = directions(case.layer.bank, case.mean, case.covariance)
    largest = parts.kernels.flatten(1).abs().amax(dim=1)
    step = largest / 127 / 2 if storage == "int8" else torch.clamp(largest * 2.0**-11, min=2.0**-25)
    kernel = torch.tensordot(case.alpha, rewritten.bank.detach(), dims=1)
    error = (kernel - case.kernels()).flatten(1).abs().amax(dim=1)
    limit = ((case.alpha - case.mean) @ parts.vectors.T).abs() @ step
    assert bool((error <= limit * (1 + 1e-6) + 1e-10 * float(largest.max())).all())


def test_more_rank_means_less_error() -> None:
    layer = make_layer(4, 8, 8, 1, 1, seed=3)
    alpha = torch.softmax(torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64), dim=1)
    case = Case(layer, alpha)
    errors = []
    for rank in range(1, full_rank(tuple(layer.bank.shape), 1) + 1):
        rewritten = LowRank(rank).rewrite(layer, case.mean, case.covariance)
        errors.append(
            sum(float((rewritten.kernel(a).detach() - w).norm()) for a, w in zip(alpha, case.kernels(), strict=True))
        )
    assert errors[-1] < 1e-9 * errors[0]
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in itertools.pairwise(errors))


def test_one_direction_is_enough_where_attention_moves_in_one() -> None:
    layer = make_layer(4, 6, 6, 1, 1, seed=5)
    base = torch.tensor([0.4, 0.3, 0.2, 0.1], dtype=torch.float64)
    along = torch.tensor([0.1, -0.05, -0.02, -0.03], dtype=torch.float64)
    case = Case(layer, base + torch.linspace(-1, 1, 9, dtype=torch.float64)[:, None] * along)
    assert effective_rank(case.covariance) == pytest.approx(1, abs=1e-6)
    rewritten = MeanResidual(rank=1).rewrite(layer, case.mean, case.covariance)
    assert_close(torch.tensordot(case.alpha, rewritten.bank.detach(), dims=1), case.kernels())


def test_attention_that_stands_still_has_rank_zero_and_no_distance() -> None:
    layer = make_layer(4, 4, 4, 3, 1, seed=7)
    attention = layer_attention("layer", layer.bank, torch.full((10, 4), 0.25))
    assert (attention.movement, attention.distance_max, attention.bound_max, attention.effective_rank) == (0, 0, 0, 0)
    assert attention.worst_case > 0
