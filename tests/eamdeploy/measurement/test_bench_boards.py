"""Whole benches through SSH servers in this process: many boards, bad boards, bad conditions."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from pathlib import Path

import pytest

from eamdeploy.base.errors import BoardUnreachable
from eamdeploy.measurement import BenchTarget, Effort, Request, bench, expand
from eamdeploy.runs.store import open_store
from tests.eamdeploy.measurement.served_boards import eventually, left_over
from tests.recorded_progress import RecordedProgress

QUICK = Effort(runs=40)


def test_a_board_over_ssh_gives_latency_accuracy_and_evidence(boards, artifacts, pictures):
    machines = boards(1)
    cases = expand([artifacts[0] / "tiny.onnx", artifacts[0] / "tiny.tflite"])
    store = open_store()
    report = bench(Request(cases, QUICK, data=pictures), [machines.target(0)], store=store)
    assert [failure.to_dict() for failure in report.failures] == []
    assert [(run.device, run.board, run.provenance.kind) for run in report.runs] == [("pi4", "pi0", "measured")] * 2
    for run in report.runs:
        assert len(run.latency_ms.samples) == 40
        assert run.latency_ms.p50 <= run.latency_ms.p90 <= run.latency_ms.p99
        assert run.accuracy.n == 120
        assert run.accuracy.flips == 0
        assert run.memory_mb > 10
        assert run.energy_mj is None
        assert run.conditions.facts["cpus"]
        assert run.provenance.versions["python"]
    assert {run.id for run in store.runs()} == {run.id for run in report.runs}
    assert eventually(lambda: not left_over(machines.servers[0]))


@pytest.mark.slow
def test_eight_boards_two_of_them_bad(boards, artifacts):
    """Six complete results, two clear errors, and no longer than the slowest needs."""
    machines = boards(8)
    machines.on_loop(lambda: asyncio.ensure_future(machines.servers[2].stop()))
    targets = [machines.target(number) for number in range(8)]
    bad = machines.servers[5]
    targets[5] = BenchTarget(
        "pi5", "pi4", "pi5", "measured", lambda _: bad.transport("pi5", python="/nonexistent/python3")
    )
    times: dict[str, list[float]] = {}
    store = open_store()
    start = time.monotonic()
    clocked = RecordedProgress(
        lambda _: times.setdefault(clocked.stages[-1][0] or "", []).append(time.monotonic() - start)
    )
    report = bench(
        Request(expand([artifacts[0] / "tiny.onnx"]), QUICK),
        targets,
        store=store,
        progress=clocked,
    )
    total = time.monotonic() - start
    assert [run.board for run in report.runs] == ["pi0", "pi1", "pi3", "pi4", "pi6", "pi7"]
    assert all(len(run.latency_ms.samples) == 40 for run in report.runs)
    assert [(failure.board, failure.error.exit_code) for failure in report.failures] == [("pi2", 6), ("pi5", 7)]
    assert isinstance(report.failures[0].error, BoardUnreachable)
    assert "Python could not be started" in str(report.failures[1].error)
    assert report.exit_code == 6
    assert len(list(store.runs())) == 6
    slowest = max(last[-1] - last[0] for last in times.values())
    assert total < 1.5 * slowest + 1
    # they really ran at the same time: each began before any had ended
    working = [times[run.board] for run in report.runs]
    assert max(each[0] for each in working) < min(each[-1] for each in working)


def test_a_link_cut_in_mid_run_keeps_the_finished_cases(boards, artifacts, monkeypatch):
    machines = boards(1)
    server = machines.servers[0]
    cases = expand([artifacts[0] / "tiny.onnx", artifacts[0] / "slower.onnx"])
    store = open_store()

    def cut_at_profiling(sentence):
        if "slower.onnx" in sentence and "profiling" in sentence:
            machines.on_loop(server.cut)

    report = bench(
        Request(cases, QUICK, profile=5), [machines.target(0)], store=store, progress=RecordedProgress(cut_at_profiling)
    )
    assert [Path(run.artifact).name for run in report.runs] == ["tiny.onnx", "slower.onnx"]
    assert all(run.latency_ms is not None for run in report.runs)
    assert len(list(store.runs())) == 2
    assert report.exit_code == 6
    assert eventually(lambda: not left_over(server))


def test_a_rejected_artifact_does_not_take_the_others_with_it(boards, artifacts, tmp_path):
    machines = boards(1)
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"no model" * 20)
    report = bench(Request(expand([bad, artifacts[0] / "tiny.onnx"]), QUICK), [machines.target(0)])
    assert [Path(run.artifact).name for run in report.runs] == ["tiny.onnx"]
    (failure,) = report.failures
    assert failure.case.startswith("bad.onnx")
    assert failure.error.exit_code == 2
    assert str(bad) in str(failure.error)


@pytest.mark.parametrize(("bits", "reason"), [("0x4", "throttled"), ("0x1", "under-voltage")])
def test_throttling_during_the_run_makes_it_invalid(boards, artifacts, tmp_path, bits, reason):
    """The firmware reports it from the third question on."""
    machines = boards(1)
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "vcgencmd"
    script.write_text(
        "#!/bin/sh\n[ $1 = get_throttled ] || exit 1\n"
        f"echo x >> {tmp_path}/asked\n"
        f"if [ $(wc -l < {tmp_path}/asked) -gt 2 ]; then echo throttled={bits}; else echo throttled=0x0; fi\n"
    )
    script.chmod(0o755)
    environment = machines.servers[0].environment
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    report = bench(Request(expand([artifacts[0] / "tiny.onnx"]), QUICK), [machines.target(0)])
    (run,) = report.runs
    assert run.verdict.state == "invalid"
    assert f"{reason} during the run" in run.verdict.reasons
    assert report.exit_code == 5
    assert len(run.latency_ms.samples) == 40  # what was measured is kept all the same


def test_energy_names_its_source(boards, artifacts, tmp_path):
    machines = boards(1)
    chip = tmp_path / "fake/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1"
    chip.mkdir(parents=True)
    for name, content in (("in1_label", "VDD_IN"), ("in1_input", "5000"), ("curr1_input", "1000")):
        (chip / name).write_text(content)
    machines.servers[0].environment["EAMDEPLOY_SENSOR_ROOT"] = str(tmp_path / "fake")
    (run,) = bench(Request(expand([artifacts[0] / "tiny.onnx"]), QUICK), [machines.target(0)]).runs
    assert run.conditions.energy_source == "INA3221 VDD_IN"
    assert run.energy_mj == pytest.approx(5000 * run.latency_ms.mean / 1000)


@pytest.mark.slow
def test_cooldown_waits_and_says_when_it_was_in_vain(boards, artifacts, tmp_path):
    machines = boards(1)
    zone = tmp_path / "fake/sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal")
    (zone / "temp").write_text("70000")
    machines.servers[0].environment["EAMDEPLOY_SENSOR_ROOT"] = str(tmp_path / "fake")
    cases = expand([artifacts[0] / "tiny.onnx"])
    cooler = threading.Timer(3.0, lambda: (zone / "temp").write_text("50000"))
    cooler.start()
    start = time.monotonic()
    waited = bench(Request(cases, Effort(runs=8, cooldown_c=60)), [machines.target(0)]).runs[0]
    assert time.monotonic() - start > 3
    assert "did not cool down" not in " ".join(waited.verdict.reasons)
    (zone / "temp").write_text("70000")
    vain = bench(Request(cases, Effort(runs=8, cooldown_c=60, cooldown_seconds=0)), [machines.target(0)]).runs[0]
    assert "did not cool down" in " ".join(vain.verdict.reasons)


def test_a_busy_board_is_left_alone(boards, artifacts):
    """Somebody else's job holds the lock."""
    machines = boards(1)
    from devices.session.lock import board_lock

    holding, release = threading.Event(), threading.Event()

    def hold():
        async def job():
            transport = machines.servers[0].transport(python=(sys.executable,))
            await transport.connect()
            async with board_lock(transport, job="a long bench"):
                holding.set()
                while not release.is_set():
                    await asyncio.sleep(0.05)
            await transport.close()

        asyncio.run(job())

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert holding.wait(30)
        report = bench(Request(expand([artifacts[0] / "tiny.onnx"]), QUICK), [machines.target(0)])
    finally:
        release.set()
        thread.join(30)
    (failure,) = report.failures
    assert "a long bench" in str(failure.error)
    assert report.exit_code == 6
    assert report.runs == ()


def test_emulated_boards_give_outputs_and_no_latency(boards, artifacts, pictures):
    machines = boards(1)
    cases = expand([artifacts[0] / "tiny.onnx", artifacts[0] / "tiny.tflite"])
    report = bench(Request(cases, QUICK, data=pictures), [machines.target(0, kind="emulated")])
    kinds = [run.provenance.kind for run in report.runs]
    assert kinds.count("emulated") == 2
    assert "measured" not in kinds
    for run in report.runs:
        if run.provenance.kind == "emulated":
            assert run.latency_ms is None
            assert run.accuracy.n == 120
            assert run.accuracy.flips == 0
        else:
            assert run.accuracy is None
            assert run.latency_ms.samples == ()
            low, high = run.latency_ms.interval90
            assert low < run.latency_ms.p50 < high
            assert run.provenance.calibration
    # an artifact without an estimate is spoken of
    assert kinds.count("estimated") + sum("no latency estimate" in note for note in report.notes) == 2


def test_an_emulated_board_without_images_still_shows_that_the_artifact_runs(boards, artifacts):
    machines = boards(1)
    report = bench(Request(expand([artifacts[0] / "slower.onnx"])), [machines.target(0, kind="emulated")])
    (run,) = [run for run in report.runs if run.provenance.kind == "emulated"]
    assert run.latency_ms is None
    assert run.accuracy is None
    assert "loads and runs" in run.provenance.note
    assert report.exit_code == 0
