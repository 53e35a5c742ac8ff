"""LiteRT's table of operator times."""

from __future__ import annotations

import pytest

from runtimes.support.litert_profile import parse_summary

SUMMARY = """
===================== Run Order =====================
        [node type]  [start]  [first]  [avg ms]   [%]   [cdf%]  [mem KB]  [times called]  [Name]
        Delegate/Static Reshape (NC)      0.000      0.029      0.034     0.219%     0.219%      0.000             20   [Delegate]:0
  Delegate/Transpose (ND, X32) Transpose  0.000   0.001      0.010     0.007%     0.562%      0.000             60   [Delegate]:3
        CONV_2D      0.000      1.201      1.023     7.102%    74.658%      0.000             20   [Builtin]:29

===================== Top by Computation Time =====================
        CONV_2D      0.000      1.201      1.023     7.102%    74.658%      0.000             20   [Builtin]:29
"""


def test_a_row_of_several_calls_counts_each_of_them() -> None:
    rows = parse_summary(SUMMARY, inferences=20)
    assert [row.kind for row in rows] == ["Static Reshape (NC)", "Transpose (ND, X32) Transpose", "CONV_2D"]
    assert [row.where for row in rows] == ["XNNPACK", "XNNPACK", "LiteRT"]
    assert [row.mean_ms for row in rows] == pytest.approx([0.034, 0.030, 1.023])
