from __future__ import annotations

from pathlib import Path

import pytest

from devices.latency.calibrate.refit import MeasuredRun, calibrate, calibrate_all
from devices.latency.estimate.estimate import estimate
from devices.latency.estimate.userstore import folder, own_calibrations
from eamdeploy.base.errors import UsageError


def run(path: Path, ms: float, device: str = "mypi", **more: object) -> MeasuredRun:
    fields = {
        "runtime": "onnxruntime",
        "runtime_version": "1.32.0",
        "precision": "fp32",
        "threads": 1,
        "profile": "pi4",
    }
    return MeasuredRun(path, ms, device, **{**fields, **more})


@pytest.fixture(scope="module")
def two(export_network) -> tuple[Path, Path]:
    return export_network(width=0.25, input_px=128), export_network(width=0.75, input_px=128)


@pytest.mark.slow
def test_two_networks_are_enough_and_the_third_comes_out_near(export_network, two) -> None:
    third = export_network(width=0.5, input_px=128)
    # a board three times as slow as the published Pi 4, in every respect
    truth = {p: 3 * estimate(p, "pi4", runtime="litert").p50_ms for p in (*two, third)}
    done = calibrate([run(p, truth[p]) for p in two])
    assert [c.networks for c in done] == [2]
    e = estimate(third, "mypi")
    assert e.p50_ms == pytest.approx(truth[third], rel=0.15)
    assert e.interval90_ms[0] < truth[third] < e.interval90_ms[1]


def test_two_measurements_that_contradict_each_other_are_doubted(two) -> None:
    truth = [3 * estimate(p, "pi4", runtime="litert").p50_ms for p in two]
    (sound,) = calibrate([run(p, ms) for p, ms in zip(two, truth, strict=True)])
    assert sound.doubt is None
    assert not any("contradict" in note for note in estimate(two[0], "mypi").notes)
    # the larger one met another program
    (doubted,) = calibrate([run(two[0], truth[0]), run(two[1], 8 * truth[1])])
    assert "by a factor of" in doubted.doubt
    assert "bench both again" in doubted.doubt
    assert any("contradict" in note for note in estimate(two[0], "mypi").notes)


def test_own_measurements_are_preferred_for_the_board_and_its_profile(two) -> None:
    before = estimate(two[0], "pi4", runtime="onnxruntime")
    calibrate([run(two[0], 100.0), run(two[1], 700.0)])
    for device in ("mypi", "pi4"):
        after = estimate(two[0], device, runtime="onnxruntime")
        assert "your measurements" in after.calibration_title
        assert after.p50_ms == pytest.approx(100.0, rel=0.3)
    assert before.p50_ms < 50
    assert estimate(two[0], "pi5", runtime="onnxruntime").calibration != after.calibration


def test_what_was_not_measured_stays_published(two) -> None:
    calibrate([run(two[0], 100.0), run(two[1], 700.0)])
    assert "your measurements" not in estimate(two[0], "pi4", runtime="litert").calibration_title
    assert "your measurements" not in (
        estimate(two[0], "pi4", runtime="onnxruntime", precision="int8").calibration_title or ""
    )
    assert "your measurements" not in (
        estimate(two[0], "pi4", runtime="onnxruntime", threads=4).calibration_title or ""
    )


def test_conditions_with_one_network_do_not_keep_the_others_from_a_fit(two) -> None:
    alone = run(two[0], 5.0, threads=4)
    done, short = calibrate_all([run(two[0], 10.0), run(two[1], 60.0), alone])
    assert [c.conditions.threads for c in done] == ["1"]
    assert len(short) == 1
    assert "4 threads" in short[0]


@pytest.mark.slow
def test_two_networks_make_a_wide_interval_and_ten_a_narrow_one(export_network) -> None:
    paths = [export_network(width=w, input_px=px) for w in (0.25, 0.5, 0.75, 1.0, 1.25) for px in (96, 128)]
    truth = {p: 2 * estimate(p, "pi4", runtime="litert").p50_ms for p in paths}
    widths = []
    for calibration_paths in (paths[1:7:5], paths):
        calibrate([run(p, truth[p]) for p in calibration_paths])
        low, high = estimate(paths[3], "mypi").interval90_ms
        assert low < truth[paths[3]] < high
        widths.append(high / low)
    assert widths[1] < widths[0] < 4


@pytest.mark.slow
def test_measured_dynamic_networks_are_no_strangers(export_network, two) -> None:
    dynamic = export_network(conv="eam", input_px=128)
    calibrate([run(two[0], 10.0), run(two[1], 60.0)])
    before = estimate(dynamic, "mypi")
    calibrate([run(two[0], 10.0), run(two[1], 60.0), run(dynamic, 25.0)])
    after = estimate(dynamic, "mypi")
    assert any("dynamic" in note for note in before.notes)
    assert not any("dynamic" in note for note in after.notes)
    assert after.p50_ms == pytest.approx(25.0, rel=0.3)


def test_more_networks_give_an_error_of_their_own(export_network) -> None:
    paths = [export_network(width=w, input_px=128) for w in (0.25, 0.5, 0.75)]
    runs = [run(p, 2 * estimate(p, "pi4", runtime="litert").p50_ms) for p in paths]
    (c,) = calibrate(runs)
    assert c.tests["leave_network_out"]["n"] == 3
    assert c.tests["leave_network_out"]["mean_abs_percent"] < 15


def test_one_network_is_too_few_however_often_it_was_measured(two) -> None:
    with pytest.raises(UsageError, match="at least 2"):
        calibrate([run(two[0], 10.0), run(two[0], 11.0)])
    assert own_calibrations() == ()


@pytest.mark.parametrize("ms", [0.0, -1.0, float("nan"), float("inf")])
def test_a_latency_that_is_none_is_refused(two, ms: float) -> None:
    with pytest.raises(UsageError, match="latency"):
        calibrate([run(two[0], 10.0), run(two[1], ms)])


def test_calibrating_again_replaces_the_file(two) -> None:
    for scale in (1.0, 2.0):
        calibrate([run(two[0], 10.0 * scale), run(two[1], 60.0 * scale)])
    assert len(list(folder().glob("*.json"))) == 1
    assert estimate(two[0], "mypi").p50_ms == pytest.approx(20.0, rel=0.3)
