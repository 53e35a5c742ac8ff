"""Rounding is measured: the float64 network is exact, and what it leaves of a tolerance is small."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from eamdeploy.networks.layers.attention import make_attention
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.random_init import random_network
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.parity.compare.rounding import measure_rounding, undecided
from eamdeploy.parity.run.reference import ReferenceRun, run_reference
from eamdeploy.parity.run.widen import DepthwiseTaps, round_to_half, widen
from tests.eamdeploy.parity.parity_artifacts import SMALL


def noise(count: int, px: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 3, px, px)).astype(np.float32)


@pytest.mark.parametrize(("stride", "dilation", "kernel"), [(1, 1, 3), (2, 1, 3), (1, 2, 5), (2, 2, 3)])
def test_depthwise_taps_are_the_convolution(stride: int, dilation: int, kernel: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 8, 17, 13, dtype=torch.float64)
    static = nn.Conv2d(8, 8, kernel, stride, 2, dilation, groups=8).double()
    torch.testing.assert_close(DepthwiseTaps(static)(x), static(x), rtol=1e-12, atol=1e-12)
    attention = make_attention(ArchSpec(temperature=1.0), 8, torch.Generator().manual_seed(0))
    dynamic = AttentionConv2d(
        8, 8, kernel, attention=attention, stride=stride, padding=2, dilation=dilation, groups=8, bias=True
    ).double()
    torch.nn.init.normal_(dynamic.bias)
    torch.testing.assert_close(DepthwiseTaps(dynamic)(x), dynamic(x), rtol=1e-12, atol=1e-12)


def test_float32_and_float64_differ_by_rounding_alone() -> None:
    network = random_network(SMALL)
    images = noise(4)
    narrow, wide = run_reference(network, images), run_reference(widen(network), images)
    rounding = measure_rounding(narrow, wide, "fp32")
    assert 2.0**-24 <= rounding.output_relative < 1e-4
    assert list(rounding.alpha_abs) == list(network.dynamic_layers())
    assert max(rounding.alpha_abs.values()) < 1e-5
    # the network that was given is left as it was
    assert next(network.parameters()).dtype is torch.float32


def test_half_precision_costs_a_thousand_times_more() -> None:
    network = random_network(SMALL)
    images = noise(4)
    wide = run_reference(widen(network), images)
    single = measure_rounding(run_reference(network, images), wide, "fp32")
    half = measure_rounding(run_reference(round_to_half(network), images), wide, "fp16")
    assert 100 < half.output_relative / single.output_relative < 1e6


def test_a_batch_is_run_in_pieces_with_the_same_result() -> None:
    network = random_network(replace(SMALL, select="cgr-max"))
    images = noise(5)
    whole, pieces = run_reference(network, images, batch=5), run_reference(network, images, batch=2)
    np.testing.assert_allclose(whole.output, pieces.output, rtol=1e-4, atol=1e-5)
    assert whole.means.keys() == network.dynamic_layers().keys() - {"stem.conv"}


def test_only_ties_within_rounding_are_undecided() -> None:
    means = np.array([[0.5, 0.1], [0.5, 0.5 + 1e-7], [0.0, 0.0]])
    run = ReferenceRun(np.zeros((3, 2)), {}, {"layer": (means, (0, 2))})
    rounding = measure_rounding(run, run, "fp32")
    # clearly decided; within rounding; two dead channels, where every implementation takes the first
    allowed = {layer: np.full(3, 16 * error) for layer, error in rounding.mean_abs.items()}
    assert undecided(run, allowed.__getitem__)["layer"].tolist() == [False, True, False]
