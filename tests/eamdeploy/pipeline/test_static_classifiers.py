"""Static classifiers of timm, by factory and as files: from weights to a gate on an emulated board, with accuracy on real images.

The networks are fitted on the pictures that they are measured on: their accuracy tells good files from bad ones, and says no more.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from eamdeploy.cli.main import main
from eamdeploy.data import embedded_sample, open_dataset
from tests.devices.emulated_board import needs_qemu
from tests.foreign.fitted_timm import fitted_timm_network

pytestmark = [
    pytest.mark.slow,
    pytest.mark.emulated,
    pytest.mark.timeout(1800),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
SIDE, CHANCE, IMAGES = 32, 10.0, 50
NETWORKS = ("mobilenetv3_small_050", "tinynet_e")  # the second is an EfficientNet made smaller
FACTORIES = "\n".join(
    f'def {name}():\n    return __import__("timm").create_model("{name}", num_classes=10)\n' for name in NETWORKS
)
SAID = json.dumps({"size": SIDE, "normalize": "imagenet"})


class Folder:
    """A user's folder with pictures, and the command line in it."""

    def __init__(self, path: Path) -> None:
        self.path, self.data = path, path / "data"
        sample = embedded_sample()
        for index in range(len(sample)):
            place = self.data / sample.classes[sample.label(index)].replace("/", "-") / f"{index}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            sample.image(index).save(place)
        pictures = open_dataset(self.data, "train")
        self.classes = pictures.classes
        self.networks = {name: fitted_timm_network(name, pictures, SIDE) for name in NETWORKS}
        (path / "their_nets.py").write_text(FACTORIES, encoding="utf-8")
        self.labels("classes.txt", self.classes)

    def labels(self, name: str, classes: Any) -> None:
        (self.path / name).write_text("\n".join(classes), encoding="utf-8")

    def run(self, *arguments: object, code: int = 0) -> Any:
        """A command's JSON."""
        printed, remarks = io.StringIO(), io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(remarks):
                main([*map(str, arguments), "--json"])
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
        assert status == code, f"{arguments[0]}: {printed.getvalue()[-1500:]}{remarks.getvalue()[-1500:]}"
        return json.loads(printed.getvalue())

    def by_factory(self, name: str) -> tuple[str, str]:
        """The float and the int8 file of a network that is given by its factory."""
        torch.save(self.networks[name].state_dict(), self.path / f"{name}.pt")
        self.run(
            "import", f"their_nets:{name}", "--weights", f"{name}.pt", "--input", f"3x{SIDE}x{SIDE}",
            "--classes", "classes.txt", "--preprocessing", SAID, "--out", f"{name}.safetensors",
        )  # fmt: skip
        self.run(
            "export",
            f"{name}.safetensors",
            *["--precision", "fp32,int8", "--limit", "30", "--out", "."],
            *self.calibrated(),
        )
        return f"{name}.onnx", f"{name}-int8.onnx"

    def by_file(self, name: str) -> tuple[str, str]:
        """The same from what ``torch.onnx.export`` makes of it; its answers are those of the file by factory."""
        file = f"theirs-{name}.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                self.networks[name], (torch.randn(1, 3, SIDE, SIDE),), dynamo=True, verbose=False
            )
        assert program is not None
        program.save(self.path / file, external_data=False)
        self.run("attach", file, "--preprocessing", SAID, "--labels", "classes.txt")
        self.run("quantize", file, *self.calibrated())
        same = self.run("verify", file, "--against", f"{name}.onnx", "--data", self.data, "--limit", IMAGES)
        assert same["verdict"] == "passed"
        return file, f"theirs-{name}-int8.onnx"

    def by_tflite(self, name: str) -> tuple[str, str]:
        """The same from what ``litert_torch`` makes of it, which takes channels first."""
        litert_torch = pytest.importorskip("litert_torch", reason="the TFLite converter is not installed")
        file = f"theirs-{name}.tflite"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            litert_torch.convert(self.networks[name], (torch.randn(1, 3, SIDE, SIDE),)).export(str(self.path / file))
        self.run("attach", file, "--preprocessing", SAID, "--labels", "classes.txt")
        self.run("quantize", file, *self.calibrated())
        same = self.run("verify", file, "--against", f"{name}.onnx", "--data", self.data, "--limit", IMAGES)
        assert same["verdict"] == "passed"
        return file, f"theirs-{name}-int8.tflite"

    def spoil(self, file: str) -> None:
        """Let a file of the user's own answer the first class, whatever the picture."""
        model = onnx.load(str(self.path / file))
        (bias,) = (tensor for tensor in model.graph.initializer if list(tensor.dims) == [len(self.classes)])
        values = onnx.numpy_helper.to_array(bias).copy()
        values[0] += 1000
        bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
        onnx.save(model, str(self.path / file))
        self.run("attach", file, "--preprocessing", SAID, "--labels", "classes.txt")

    def calibrated(self) -> tuple[str | Path, ...]:
        counts = ("--calibration-images", "60", "--check-images", "100")
        return "--calibration", self.data, "--data", self.data, "--max-drop", "15", *counts

    def accuracy(self, file: str) -> float:
        """Top-1 on this host, of the pictures that the board sees."""
        evaluation = self.run("evaluate", file, "--data", self.data, "--limit", IMAGES)
        assert evaluation["warning"] is None
        return float(evaluation["top1"])

    def bench(self, *files: str) -> dict[str, Any]:
        """Runs on the emulated board, by file."""
        report = self.run("bench", *files, "--device", "pi4", "--data", self.data, "--limit", IMAGES)
        assert report["failures"] == []
        return {Path(run["artifact"]).name: run for run in report["runs"] if run["provenance"]["kind"] == "emulated"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    needs_qemu()
    path = tmp_path_factory.mktemp("classifiers")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        patch.syspath_prepend(str(path))
        patch.setenv("EAMDEPLOY_STORE", str(path / "store"))
        patch.setenv("EAMDEPLOY_BOARDS", str(path / "boards.toml"))
        yield Folder(path)
    sys.modules.pop("their_nets", None)


@pytest.fixture(scope="module")
def top1(folder: Folder) -> dict[str, float]:
    """Every file, made by the commands that a user would give, and its accuracy on this host."""
    files = [file for name in NETWORKS for file in folder.by_factory(name)]
    files += [*folder.by_file("tinynet_e"), *folder.by_tflite("mobilenetv3_small_050")]
    return {file: folder.accuracy(file) for file in files}


def test_every_file_classifies_far_above_chance(top1: dict[str, float]) -> None:
    assert len(top1) == 8
    assert min(top1.values()) > 4 * CHANCE


def test_one_picture_has_one_answer_and_every_file_an_estimate(folder: Folder, top1: dict[str, float]) -> None:
    (picture, *_) = sorted(folder.data.rglob("*.png"))
    float_files = [file for file in top1 if "int8" not in file and file.startswith(("mobile", "theirs-mobile"))]
    answers = [folder.run("predict", file, picture)["predictions"][0]["top"][0] for file in float_files]
    assert len({answer["label"] for answer in answers}) == 1
    for file in float_files:
        (estimate, *_) = folder.run("estimate", file, "--device", "pi4")["estimates"]
        assert estimate["interval90_ms"][0] < estimate["p50_ms"] < estimate["interval90_ms"][1]


def test_the_board_answers_as_this_host_and_a_gate_judges_it(folder: Folder, top1: dict[str, float]) -> None:
    runs = folder.bench(*top1)
    assert set(runs) == set(top1)
    for file, run in runs.items():
        assert run["accuracy"]["n"] == IMAGES
        assert abs(run["accuracy"]["top1"] - top1[file]) <= 4  # int8 rounds otherwise on another processor
        if "int8" not in file:
            assert run["accuracy"]["flips"] == 0
    good, spoilt = "mobilenetv3_small_050-int8.onnx", "theirs-tinynet_e.onnx"
    folder.run("gate", "--write-baseline", "baseline.json", "--current", good, "--current", spoilt)
    folder.spoil(spoilt)
    folder.bench(good, spoilt)
    folder.run("report", "--out", "report.html")
    assert all(file in (folder.path / "report.html").read_text(encoding="utf-8") for file in top1)
    limits = ("--max-latency-increase", "off", "--max-instructions-increase", "off")
    passed = folder.run("gate", "--baseline", "baseline.json", "--current", good, *limits, "--allow-missing")
    (check,) = (check for check in passed["checks"] if check["status"] != "skipped")
    assert (check["status"], good in json.dumps(check)) == ("passed", True)
    failed = folder.run("gate", "--baseline", "baseline.json", *limits, code=4)
    (check,) = (check for check in failed["checks"] if check["status"] == "failed")
    assert spoilt in json.dumps(check)
