"""A ratio of two artifacts is known better than either latency."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.latency.estimate.comparison import compare_estimates
from devices.latency.estimate.estimate import estimate


@pytest.fixture(scope="module")
def twins(export_network) -> tuple[Path, Path]:
    return export_network(conv="eam", input_px=128), export_network(conv="static", input_px=128)


def test_the_ratio_of_a_dynamic_network_and_its_twin_is_no_less_certain_than_their_latencies(
    twins: tuple[Path, Path],
) -> None:
    for device in ("pi4", "pi5"):
        ratio = compare_estimates(*twins, device, runtime="litert")
        low, high = ratio.interval90
        assert low < ratio.ratio < high
        assert ratio.ratio > 1
        dynamic = estimate(twins[0], device, runtime="litert")
        assert high / low <= 1.001 * dynamic.interval90_ms[1] / dynamic.interval90_ms[0]
        assert any("counted instructions" in note for note in ratio.notes)


def test_a_network_beside_itself_takes_as_long(twins: tuple[Path, Path]) -> None:
    ratio = compare_estimates(twins[1], twins[1], "pi4", runtime="litert")
    assert ratio.ratio == pytest.approx(1)
    assert ratio.shared_percent == pytest.approx(100)


def test_the_ratio_turned_round_is_its_inverse(twins: tuple[Path, Path]) -> None:
    there, back = (compare_estimates(*pair, "pi4", runtime="litert") for pair in (twins, twins[::-1]))
    assert there.ratio * back.ratio == pytest.approx(1, rel=1e-3)
    assert there.interval90[0] * back.interval90[1] == pytest.approx(1, rel=1e-3)


def test_an_unknown_board_has_no_ratio_and_says_why(twins: tuple[Path, Path]) -> None:
    ratio = compare_estimates(*twins, "host")
    assert ratio.ratio is None
    assert ratio.interval90 is None
    assert "host" in ratio.notes[0]
    assert ratio.to_dict()["provenance"] is None
