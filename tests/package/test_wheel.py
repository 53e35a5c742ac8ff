"""The built wheel, in a bare environment and in a folder that holds a user's own devices.py, export.py and json.py."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.package.bare import ROOT, InstalledWheel, install

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
# a machine that is busy makes a run invalid (5), which is no fault of the package's
BUSY = (0, 5)
NAME = "fashion-mnist-v1x0.25-eam-rcr"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> InstalledWheel:
    return install(tmp_path_factory.mktemp("wheel"), "export,onnxruntime,boards,report")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> InstalledWheel:
    return install(tmp_path_factory.mktemp("base"), "")


def test_it_holds_every_tracked_file_of_the_packages(installed: InstalledWheel) -> None:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "eamdeploy", "export", "devices", "runtimes"],
        capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    with zipfile.ZipFile(installed.wheel) as archive:
        inside = set(archive.namelist())
    assert sorted(name for name in listed if name and name not in inside) == []
    assert not [name for name in inside if name.startswith(("tests/", "benchmarks/"))]


def test_the_whole_path_works_outside_the_checkout(installed: InstalledWheel) -> None:
    artifact = f"build/{NAME}.onnx"
    assert NAME in installed("models").stdout
    assert json.loads(installed("describe", NAME, "--json").stdout)["parameters"] > 800_000
    installed("export", NAME, "--format", "onnx", "--precision", "fp32,int8", "--out", "build")
    assert json.loads(installed("verify", artifact, "--against", NAME, "--json").stdout)["verdict"] == "passed"
    assert json.loads(installed("evaluate", artifact, "--json").stdout)["top1"] > 85
    installed.run(
        [installed.python, "-P", "-c", "from eamdeploy.data import embedded_sample as s; s().image(0).save('a.png')"]
    )
    assert json.loads(installed("predict", artifact, "a.png", "--json").stdout)["predictions"]
    document = json.loads(installed("bench", artifact, "--runs", "8", "--json", code=BUSY).stdout)
    assert document["runs"][0]["latency_ms"]["p50"] > 0
    installed("devices", "check", "host")
    installed("estimate", artifact, "--all-devices")
    installed("report", "--out", "report.html")
    assert (installed.folder / "report.html").stat().st_size > 50_000


def test_headers_are_read_with_the_base_alone(bare: InstalledWheel) -> None:
    assert NAME in bare("models").stdout
    bare("--help")
    missing = bare("evaluate", NAME, code=7)
    assert "pip install 'eamdeploy[" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_a_module_of_the_same_name_is_one_clear_sentence(bare: InstalledWheel) -> None:
    shadows = bare.folder / "shadows"
    shadows.mkdir()
    (shadows / "export.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")
    code = f"import sys; sys.path.insert(0, {str(shadows)!r}); from eamdeploy.cli.main import main; main(['models'])"
    done = bare.run([bare.python, "-P", "-c", code], code=2)
    assert "another 'export' is imported in place of eamdeploy's own package" in done.stderr
    # started as a module in a folder with such files it works: that folder is not searched
    assert NAME in bare.run([bare.python, "-m", "eamdeploy", "models"]).stdout


@pytest.mark.emulated
def test_an_emulated_board_boots_from_the_installed_package(installed: InstalledWheel) -> None:
    installed("devices", "emulate", "pi4")


def test_the_demo_runs_from_the_wheel(installed: InstalledWheel) -> None:
    installed("demo", "--out", "demo")
    assert Path(installed.folder / "demo" / "report.html").exists()
