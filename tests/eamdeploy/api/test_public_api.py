"""The public functions, as a stranger meets them: what is exported, what an import costs, and every example."""

from __future__ import annotations

import doctest
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import eamdeploy
from eamdeploy.data import embedded_sample

NAME = "fashion-mnist-v1x0.25-eam-rcr"
# the order in which the examples build on each other; two runs are what is compared
ORDER = (
    "load", "describe", "export", "verify", "evaluate", "predict", "quantize", "bench", "bench", "estimate", "compare",
    "gate", "report", "info", "train", "import_network",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``images/CLASS/N.png``: 60 of the embedded pictures."""
    root = tmp_path_factory.mktemp("api")
    sample = embedded_sample()
    for index in range(60):
        # a class with a slash in its name is a folder in a folder
        path = root / "images" / sample.classes[sample.label(index)] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        sample.image(index).save(path)
    return root


@pytest.fixture
def workplace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("EAMDEPLOY_STORE", str(folder / "runs.db"))
    monkeypatch.setenv("EAMDEPLOY_BOARDS", str(folder / "boards.toml"))
    monkeypatch.delenv("EAMDEPLOY_DATA", raising=False)
    return folder


def test_all_is_sorted_and_complete() -> None:
    assert list(eamdeploy.__all__) == sorted(eamdeploy.__all__)
    assert all(callable(getattr(eamdeploy, name)) for name in eamdeploy.__all__ if name != "__version__")
    assert set(ORDER) <= set(eamdeploy.__all__)
    with pytest.raises(AttributeError, match="no attribute 'exprot'"):
        _ = eamdeploy.exprot


def test_importing_loads_neither_numpy_nor_torch() -> None:
    code = "import sys, eamdeploy; print([m for m in ('numpy', 'torch', 'onnx', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_loads_only_what_prints_it() -> None:
    """Each of these takes a tenth of the time that help may take, or far more."""
    heavy = ("numpy", "torch", "onnx", "PIL", "msgspec", "rich.progress", "asyncio")
    code = (
        "import sys; from eamdeploy.cli.main import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", [name for name in eamdeploy.__all__ if name != "__version__"])
def test_every_function_has_an_example_and_documents_its_arguments(name: str) -> None:
    function = getattr(eamdeploy, name)
    text = inspect.getdoc(function) or ""
    assert doctest.DocTestParser().get_examples(text), f"{name} has no example"
    for parameter in inspect.signature(function).parameters:
        assert f"{parameter}:" in text or f"{parameter}," in text or f", {parameter}" in text or name == "load", (
            parameter
        )


@pytest.mark.slow
def test_the_ten_lines_of_the_overview_run(workplace: Path) -> None:
    network = eamdeploy.load(NAME)
    artifacts = eamdeploy.export(network, "build", formats=["onnx"], precisions=["fp32", "int8"], calibration="images")
    verdict = eamdeploy.verify(artifacts[0], against=network)
    assert verdict.passed
    assert verdict.checks
    assert verdict.first_divergence is None
    runs = eamdeploy.bench(artifacts, device="host")
    assert runs[0].latency is not None
    assert runs[0].latency.p50_ms > 0


@pytest.mark.slow
def test_the_examples_run(workplace: Path) -> None:
    pytest.importorskip("matplotlib", reason="the report's figures need matplotlib")
    from eamdeploy.networks.spec import ArchSpec
    from eamdeploy.runs.gate import Thresholds
    from eamdeploy.training.session import TrainingRequest

    names = {
        "eamdeploy": eamdeploy,
        "TrainingRequest": TrainingRequest,
        "images": workplace / "images",
        "out": workplace / "run",
        "store": workplace / "runs.db",
        "spec": ArchSpec(arch="mobilenet_v1", width=0.25, conv="static", classes=10, input_px=32),
        "loose": Thresholds(latency=9.0, instructions=None, accuracy_points=None, size=None, memory=None),
    }
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    for name in ORDER:
        text = inspect.getdoc(getattr(eamdeploy, name)) or ""
        case = parser.get_doctest(text, names, name, None, None)
        runner.run(case, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0
