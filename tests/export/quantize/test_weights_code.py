"""The guaranteed scale of a mixed kernel, whatever bounds its weights: no element of any image's kernel can clip."""

from __future__ import annotations

import numpy as np
import pytest

from export.quantize.scales import CONVEX_CODE, LIMIT, WeightsCode, bank_scales, quantize_symmetric, weights_code


def mixed(code: WeightsCode, alpha: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """The kernel's integer codes before saturation, as the exported graph computes them."""
    kernels = len(bank)
    stored = quantize_symmetric(bank, bank_scales(bank), axis=1).astype(np.int64)
    low = -LIMIT - 1 if code.signed else 0
    weights = np.clip(np.rint(alpha * code.steps), low, code.steps).astype(np.int64)
    sums = np.tensordot(weights, stored, axes=1)
    return np.rint(sums / (code.steps * code.l1 * float(code.margin(kernels))))


@pytest.mark.parametrize(
    ("name", "code"),
    [("softmax", CONVEX_CODE), ("sigmoid", WeightsCode(4.0)), ("signed", WeightsCode(1.0, signed=True))],
)
def test_no_kernel_clips(name: str, code: WeightsCode) -> None:
    generator = np.random.default_rng(0)
    bank = generator.normal(size=(4, 8, 5)).astype(np.float32)
    worst = 0.0
    for _ in range(500):
        alpha = generator.random(4) ** 8
        if name == "softmax":
            alpha = alpha / alpha.sum()
        elif name == "signed":
            alpha = alpha * generator.choice([-1, 1], 4) / alpha.sum()
        codes = mixed(code, alpha, bank)
        worst = max(worst, float(np.abs(codes).max()))
        scale = bank_scales(bank) * code.l1 * code.margin(4)
        exact = np.tensordot(alpha, bank, axes=1)
        assert np.abs(codes * scale[:, None] - exact).max() <= 4 * float(scale.max())
    # every kernel the largest at once: the most there can be
    worst = max(worst, float(np.abs(mixed(code, np.full(4, code.l1 / 4), np.abs(bank))).max()))
    assert worst <= LIMIT


def test_what_an_artifact_says_decides() -> None:
    mixing = {
        "sigmoids": {"l1": 4.0, "signed": False, "kernels": 4},
        "unbounded": {"l1": None, "signed": True, "kernels": 4},
        "six": {"l1": 24.0, "signed": False, "kernels": 4},
    }
    assert weights_code(mixing, "softmax") == CONVEX_CODE
    assert weights_code(mixing, "sigmoids") == WeightsCode(4.0)
    assert weights_code(mixing, "unbounded") is None
    assert weights_code(mixing, "six") is None  # a weight of 6 has no code
