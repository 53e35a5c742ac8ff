"""What `train` says while it works."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from eamdeploy.cli.views.training import TrainingReport, duration
from eamdeploy.training.loop import EpochReport, TrainingPlan


def lines(*events: TrainingPlan | EpochReport, stop: bool = False) -> list[str]:
    target = io.StringIO()
    report = TrainingReport(Console(file=target, width=200), Path("run"))
    try:
        with report:
            for event in events:
                report(event)
            if stop:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert stop
    return target.getvalue().splitlines()


PLAN = TrainingPlan(
    "net",
    600,
    test_images=200,
    classes=10,
    input=(3, 32, 32),
    parameters=1234,
    recipe="SGD, learning rate 0.1",
    device="cpu",
    batch=32,
    epochs=12,
    resumed=0,
)
EPOCH = EpochReport(3, 12, 0.5, 71.25, 69.5, learning_rate=0.1, seconds=4.0, seconds_left=36.0)


def test_the_plan_and_a_line_an_epoch() -> None:
    report_lines = lines(PLAN, EPOCH)
    assert "1,234 parameters, 600 training and 200 test images of 10 classes, input 3x32x32" in report_lines[0]
    assert "batch 32, 12 epochs, on cpu" in report_lines[1]
    assert report_lines[2].startswith("epoch 3/12  loss 0.5000  train 71.25 %  test 69.50 %")
    assert report_lines[2].endswith("4.0 s an epoch, 36 s left")


def test_an_interruption_says_what_was_kept_and_how_to_go_on() -> None:
    assert lines(PLAN, EPOCH, stop=True)[-1] == (
        "interrupted: 3 finished epochs are kept in run; run the same command again to go on"
    )
    assert lines(PLAN, stop=True)[-1] == "interrupted: no epoch was finished, so nothing is kept"


@pytest.mark.parametrize(("seconds", "words"), [(4.0, "4.0 s"), (59.4, "59 s"), (61, "1 min 1 s"), (7300, "2 h 1 min")])
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
