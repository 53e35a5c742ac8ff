"""A float file that guesses proves nothing: its loss is counted by changed answers and by noise, and said to be so."""

from __future__ import annotations

from eamdeploy.base.chance import reference_warning
from eamdeploy.pipeline.quantize.check import QuantizationCheck


def test_no_loss_of_nothing_is_no_proof() -> None:
    warning = reference_warning(0.0, 100, 10)
    assert warning is not None
    assert "chance level" in warning
    assert QuantizationCheck(100, 0.0, 0.0, flips=13).drop_points == 0.0
    assert QuantizationCheck(100, 0.0, 0.0, flips=13, warning=warning).drop_points == 13.0
    # always the same class: no flip can be seen, and the scores are others
    assert QuantizationCheck(100, 10.0, 10.0, flips=0, warning=warning, score_noise=0.5).drop_points == 100.0
    assert QuantizationCheck(100, 10.0, 10.0, flips=0, warning=warning, score_noise=0.01).drop_points == 0.0


def test_a_reference_that_is_better_than_guessing_needs_no_warning() -> None:
    assert reference_warning(92.5, 200, 10) is None
    assert reference_warning(None, 200, 10) is None
