"""How much of a bench is done: parts of different length add up, and what is reported never goes back."""

from __future__ import annotations

from eamdeploy.measurement.measuring import MeasuredCase, _share
from eamdeploy.measurement.request import BenchCase, Effort
from eamdeploy.measurement.work import BoardWork
from runtimes.protocol import RuntimeOptions
from tests.recorded_progress import RecordedProgress


def test_parts_count_by_their_length() -> None:
    progress = RecordedProgress()
    work = BoardWork(progress)
    work.expect("timing", 30)
    work.expect("accuracy", 10)
    for share in (0.5, 1.0):
        work.reach("timing", share)
    work.reach("accuracy", 1.0)
    assert [done / total for _, done, total in progress.steps] == [0.375, 0.75, 1.0]


def test_it_never_goes_back_where_a_part_turns_out_longer() -> None:
    progress = RecordedProgress()
    work = BoardWork(progress)
    work.expect("timing", 10)
    work.expect("accuracy", 10)
    work.reach("timing", 1.0)
    work.expect("accuracy", 90)
    work.reach("accuracy", 0.1)
    work.reach("accuracy", 1.0)
    shares = [done / total for _, done, total in progress.steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_without_any_work_there_is_nothing_done() -> None:
    progress = RecordedProgress()
    BoardWork(progress).reach("timing", 1.0)
    assert progress.steps == [(None, 0, 1000)]


def test_timing_to_a_precision_is_done_by_the_square_of_its_interval(tmp_path) -> None:
    from eamdeploy.measurement.evidence.statistics import Summary

    effort = Effort(precision=0.02, blocks=4, max_seconds=100.0)
    result = MeasuredCase(BenchCase(tmp_path / "net.onnx", "onnxruntime", RuntimeOptions()))
    result.blocks = [[1000.0]] * 2
    assert _share(result, effort) == 0.5
    result.blocks = [[1000.0]] * 4
    # twice as wide as wanted: four times as long
    result.summary = Summary(p50=1.0, p90=1.0, p99=1.0, mean=1.0, ci95=(0.96, 1.04))
    assert abs(_share(result, effort) - 0.25) < 1e-9
    result.summary = Summary(p50=1.0, p90=1.0, p99=1.0, mean=1.0, ci95=(0.99, 1.01))
    assert _share(result, effort) == 1.0
