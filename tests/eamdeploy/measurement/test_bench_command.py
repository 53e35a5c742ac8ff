"""The command as a user runs it, in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

KEYS = {"device", "provenance", "runtime", "threads", "latency_ms", "accuracy", "memory_mb", "energy_mj", "conditions"}


def eamdeploy(*arguments, **options):
    command = [sys.executable, "-m", "eamdeploy", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)


def test_json_has_the_promised_keys_and_is_all_there_is_on_stdout(artifacts, pictures):
    folder, _ = artifacts
    done = eamdeploy(
        "bench",
        folder / "tiny.onnx",
        folder / "tiny.tflite",
        "--device",
        "host",
        "--data",
        pictures,
        "--runs",
        60,
        "--json",
    )
    assert done.returncode in (0, 5), done.stderr
    document = json.loads(done.stdout)
    assert (document["schema"], document["schema_version"]) == ("eamdeploy/bench", 1)
    assert [run["runtime"] for run in document["runs"]] == ["onnxruntime", "litert"]
    for run in document["runs"]:
        assert run.keys() >= KEYS
        latency = run["latency_ms"]
        assert latency.keys() >= {"p50", "p90", "p99", "mean", "ci95", "samples", "load_ms", "first_ms"}
        assert len(latency["samples"]) == 60
        assert latency["ci95"][0] <= latency["p50"] <= latency["ci95"][1]
        assert run["accuracy"]["n"] == 120
        assert 0 <= run["accuracy"]["top1"] <= 100
        assert run["provenance"]["kind"] == "measured"
        assert run["provenance"]["runtime_version"]
        assert run["verdict"]["state"] in ("clean", "suspect", "invalid")
    assert (done.returncode == 5) == any(run["verdict"]["state"] == "invalid" for run in document["runs"])


def test_the_table_says_where_every_figure_comes_from(artifacts):
    done = eamdeploy("bench", artifacts[0] / "tiny.onnx", "--runs", 20, "--no-store")
    assert done.returncode in (0, 5), done.stderr
    assert "measured" in done.stdout
    assert "tiny.onnx" in done.stdout
    assert "host: timing tiny.onnx in onnxruntime, 1 thread\n" in done.stderr
    assert done.stderr.count("timing") == 1  # a line a stage, not a line a block
    assert "timing" not in done.stdout


def test_an_estimate_needs_neither_a_board_nor_an_emulator(artifacts, tmp_path):
    from devices.latency.estimate.estimate import estimate

    artifact = artifacts[0] / "slower.onnx"
    expected = estimate(artifact, "pi4", "onnxruntime", threads=1)
    environment = os.environ | {"PATH": str(tmp_path)}  # no qemu, no ssh
    done = eamdeploy("bench", artifact, "--device", "pi4", "--estimate", "--json", env=environment)
    document = json.loads(done.stdout)
    if expected.p50_ms is None:
        (failure,) = document["failures"]
        assert (done.returncode, failure["exit_code"]) == (7, 7)
        assert expected.notes[0] in failure["message"]
    else:
        (run,) = document["runs"]
        assert done.returncode == 0
        assert run["provenance"]["kind"] == "estimated"
        assert run["latency_ms"]["p50"] == expected.p50_ms
        assert run["accuracy"] is None
    assert not (tmp_path / "cache").exists()


def test_an_estimate_that_cannot_be_is_an_error(artifacts):
    done = eamdeploy("bench", artifacts[0] / "slower.onnx", "--device", "host", "--estimate", "--no-store")
    assert done.returncode == 7, done.stdout
    assert "no latency estimate" in done.stderr.replace("\n", " ")


def test_runs_are_stored_unless_told_otherwise(artifacts):
    store = Path(os.environ["EAMDEPLOY_STORE"])
    eamdeploy("bench", artifacts[0] / "tiny.onnx", "--runs", 20, "--no-store")
    assert not store.exists()
    eamdeploy("bench", artifacts[0] / "tiny.onnx", "--runs", 20)
    assert store.exists()


@pytest.mark.slow
def test_self_check_reports_the_false_alarm_floor(artifacts):
    done = eamdeploy("bench", artifacts[0] / "tiny.onnx", "--self-check", "--runs", 80, "--json")
    assert done.returncode in (0, 5), done.stderr
    document = json.loads(done.stdout)
    (check,) = document["self_checks"]
    assert check["floor"] > 0
    assert check["ci95"][0] <= check["difference"] <= check["ci95"][1]
    first, two = document["runs"]
    assert first["artifact_sha256"] == two["artifact_sha256"]
    assert first["group"] == two["group"]


def test_threads_spinning_and_affinity_reach_the_runtime(artifacts):
    cpu = min(os.sched_getaffinity(0))
    done = eamdeploy(
        "bench",
        artifacts[0] / "tiny.onnx",
        "--threads",
        "1,2",
        "--no-spinning",
        "--affinity",
        cpu,
        "--runs",
        20,
        "--json",
    )
    runs = json.loads(done.stdout)["runs"]
    assert [run["threads"] for run in runs] == [1, 2]
    assert all(run["options"]["spinning"] is False and run["options"]["affinity"] == [cpu] for run in runs)
    wrong = eamdeploy("bench", artifacts[0] / "tiny.onnx", "--affinity", "4000", "--runs", 20)
    assert wrong.returncode == 2
    assert "not all there" in wrong.stderr


@pytest.mark.slow
def test_profile_adds_operators(artifacts):
    done = eamdeploy("bench", artifacts[0] / "slower.onnx", "--operators", "--runs", 20, "--json")
    rows = json.loads(done.stdout)["runs"][0]["per_layer"]
    assert {"name", "kind", "mean_ms", "calls", "where"} <= rows[0].keys()
    assert any(row["kind"] == "Conv" for row in rows)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nowhere.onnx"], 2, "no such artifact"),
        (["{onnx}", "--device", "pi44"], 2, "did you mean 'pi4'"),
        (["{onnx}", "--runtime", "onnxrt"], 2, "did you mean 'onnxruntime'"),
        (["{onnx}", "--threads", "one"], 2, "--threads"),
        (["{onnx}", "--board", "mypi"], 2, "no board is called 'mypi'"),
        (["{onnx}", "--provider", "cuda"], 7, "CUDAExecutionProvider"),
        (["{onnx}", "--data", "/nowhere"], 2, "no such data folder"),
        (["{onnx}", "--estimate"], 2, "name a profile"),
        (["{onnx}", "--estimate", "--device", "pi4", "--operators"], 2, "nothing for --operators"),
    ],
)
def test_mistakes_end_with_one_sentence_and_their_exit_code(artifacts, arguments, code, words):
    filled = [each.format(onnx=artifacts[0] / "tiny.onnx") for each in arguments]
    done = eamdeploy("bench", *filled, "--runs", 8)
    assert done.returncode == code, done.stderr
    assert words in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_with_130_and_leaves_no_folder_and_no_process(artifacts, tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path / "work")}
    (tmp_path / "work").mkdir()
    command = [sys.executable, "-m", "eamdeploy", "bench", str(artifacts[0] / "slower.onnx"), "--max-seconds", "120"]
    command += ["--within", "0.1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    while "timing goes on" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert list((tmp_path / "work").glob("eamdeploy*")) == []
    running = [
        entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and _belongs(entry, tmp_path / "work")
    ]
    assert running == []


def _belongs(entry, folder):
    try:
        return str(folder).encode() in (entry / "cmdline").read_bytes()
    except OSError:
        return False


def test_help_does_not_import_a_runtime():
    code = (
        "import sys; from eamdeploy.cli.app import build_app; build_app();"
        "print([m for m in ('torch', 'onnx', 'onnxruntime', 'asyncssh', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "onnxruntime" not in done.stdout
    assert "asyncssh" not in done.stdout
    assert "torch" not in done.stdout
