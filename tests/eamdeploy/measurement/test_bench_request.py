from __future__ import annotations

import pytest

from eamdeploy.base.errors import MissingDependency, UsageError
from eamdeploy.measurement import choose_targets, expand
from eamdeploy.measurement.measuring import round_order
from runtimes.protocol import RuntimeOptions


def test_every_artifact_in_every_runtime_that_takes_it_with_every_number_of_threads(artifacts):
    folder, _ = artifacts
    cases = expand([folder / "tiny.onnx", folder / "tiny.tflite"], runtimes=["litert", "onnxruntime"], threads=(1, 2))
    assert [(case.artifact.name, case.runtime, case.options.threads) for case in cases] == [
        ("tiny.onnx", "onnxruntime", 1),
        ("tiny.onnx", "onnxruntime", 2),
        ("tiny.tflite", "litert", 1),
        ("tiny.tflite", "litert", 2),
    ]


def test_what_cannot_be_measured_is_refused_before_a_board_is_touched(artifacts, tmp_path):
    folder, _ = artifacts
    with pytest.raises(UsageError, match="nothing to measure"):
        expand([])
    with pytest.raises(UsageError, match=r"no such artifact.*nowhere\.onnx"):
        expand([tmp_path / "nowhere.onnx"])
    with pytest.raises(UsageError, match=r"none of the runtimes takes this file: litert.*add onnxruntime"):
        expand([folder / "tiny.onnx"], runtimes=["litert"])
    with pytest.raises(UsageError, match="did you mean 'litert'"):
        expand([folder / "tiny.onnx"], runtimes=["litret"])


def test_only_runtimes_with_that_arithmetic_are_told_to_compute_in_it(artifacts, tmp_path):
    """A result says in what it was computed, and a run without any such runtime is refused."""
    folder, _ = artifacts
    ncnn = tmp_path / "tiny.ncnn.param"
    ncnn.touch()
    half = RuntimeOptions(arithmetic="fp16")
    cases = expand([folder / "tiny.onnx", ncnn], options=half)
    assert [(case.runtime, case.options.arithmetic) for case in cases] == [("onnxruntime", "fp32"), ("ncnn", "fp16")]
    with pytest.raises(UsageError, match=r"compute in fp16: onnxruntime, litert.*leave `arithmetic` out"):
        expand([folder / "tiny.onnx", folder / "tiny.tflite"], options=half)


def test_rounds_run_forwards_and_backwards():
    assert [round_order(3, number) for number in range(3)] == [[0, 1, 2], [2, 1, 0], [0, 1, 2]]


def test_targets():
    (host,) = choose_targets(None)
    assert (host.name, host.kind, host.shared) == ("host", "measured", False)
    (emulated,) = choose_targets("pi4")
    assert (emulated.device, emulated.board, emulated.kind) == ("pi4", None, "emulated")
    with pytest.raises(UsageError, match="did you mean 'pi4'"):
        choose_targets("pi44")
    with pytest.raises(UsageError, match=r"no board.*devices add"):
        choose_targets("pi4", boards=["mypi"])
    with pytest.raises(UsageError, match=r"no board.*devices add"):
        choose_targets(None, every=True)
    with pytest.raises(UsageError, match="emulated board only"):
        choose_targets("host", instructions=True)


def test_a_registered_board_is_used_for_its_profile(tmp_path):
    from devices.boards.registry import Board, BoardRegistry

    registry = BoardRegistry(tmp_path / "boards.toml")
    for name in ("one", "two"):
        registry.add(Board(name=name, profile="pi4", host=f"pi@{name}.invalid"))
    with pytest.raises(UsageError, match=r"several boards.*`every`"):
        choose_targets("pi4", registry=registry)
    targets = choose_targets("pi4", every=True, registry=registry)
    assert [(target.name, target.board, target.kind, target.shared) for target in targets] == [
        ("one", "one", "measured", True),
        ("two", "two", "measured", True),
    ]
    assert choose_targets("pi5", registry=registry)[0].kind == "emulated"


def test_an_estimate_contacts_nothing(tmp_path):
    from devices.boards.registry import Board, BoardRegistry

    registry = BoardRegistry(tmp_path / "boards.toml")
    for name, profile in (("one", "pi4"), ("two", "pi5")):
        registry.add(Board(name=name, profile=profile, host=f"pi@{name}.invalid"))

    def chosen(device, **options):
        bench_targets = choose_targets(device, estimate=True, registry=registry, **options)
        assert all(target.kind == "estimated" and target.open is None and not target.shared for target in bench_targets)
        return [(target.name, target.device) for target in bench_targets]

    assert chosen("pi4") == [("pi4", "pi4")]  # also where a board of the profile is registered
    assert chosen(None, boards=["two"]) == [("two", "pi5")]
    assert chosen(None, every=True) == [("one", "pi4"), ("two", "pi5")]
    with pytest.raises(UsageError, match=r"an estimate is for a device.*`device` pi4"):
        chosen(None)
    with pytest.raises(UsageError, match="did you mean 'pi4'"):
        chosen("pi44")
    with pytest.raises(UsageError, match="counts no instructions"):
        chosen("pi4", instructions=True)


def test_an_unused_profile_of_the_host_cannot_be_emulated():
    from devices.session.opening import open_emulated

    with pytest.raises(MissingDependency, match="no emulated board"):
        open_emulated("host")
