"""`eamdeploy verify` as a user meets it: exit codes, one sentence, files for CI."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from eamdeploy.cli.main import main
from eamdeploy.networks.random_init import write_random
from tests.eamdeploy.parity.artifact_breaking import break_artifact
from tests.eamdeploy.parity.parity_artifacts import Made

LAYER = "blocks.4.pointwise.conv"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Exit code, stdout, stderr of a command."""

    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        captured = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), captured.out, captured.err

    return call


Run = Callable[..., tuple[int, str, str]]


def test_a_good_artifact(artifact_of: Callable[..., Made], run: Run) -> None:
    good = artifact_of("onnx")
    code, out, _ = run("verify", good.path, "--against", good.checkpoint.path, "--limit", 12, "--json")
    document = json.loads(out)
    assert (code, document["verdict"], document["first_divergence"]) == (0, "passed", None)
    assert document["artifacts"][0]["images"] == 12
    assert {check["name"] for check in document["checks"]} == {"checkpoint", "output scores", "top-1", "attention"}


def test_a_broken_artifact_among_good_ones(
    artifact_of: Callable[..., Made], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = artifact_of("onnx")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    break_artifact(good.path, tmp_path / "broken.onnx", "expert", LAYER)
    files = ("--junit", "junit.xml", "--sarif", "out.sarif")
    code, out, err = run(
        "verify", good.path, "broken.onnx", "--against", good.checkpoint.path, "--limit", 8, *files, "--json"
    )
    document = json.loads(out)
    assert (code, document["verdict"]) == (3, "failed")
    assert document["first_divergence"]["layer"] == LAYER
    assert [artifact["verdict"] for artifact in document["artifacts"]] == ["passed", "failed"]
    suite = ElementTree.parse("junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert int(suite.get("failures", "0")) >= 1
    results = json.loads(Path("out.sarif").read_text())["runs"][0]["results"]
    places = [result["locations"][0] for result in results if result["level"] == "error"]
    assert {place["physicalLocation"]["artifactLocation"]["uri"] for place in places} == {"broken.onnx"}
    assert LAYER in {
        place["logicalLocations"][0]["fullyQualifiedName"] for place in places if "logicalLocations" in place
    }
    assert "failed" in Path("summary.md").read_text()
    assert "::error " in err
    assert err.splitlines()[-1].startswith("error: broken.onnx is not the same function as")
    assert LAYER in err.splitlines()[-1]


def test_the_text_names_the_layer(artifact_of: Callable[..., Made], run: Run, tmp_path: Path) -> None:
    good = artifact_of("onnx")
    broken = break_artifact(good.path, tmp_path / "broken.onnx", "temperature", LAYER)
    code, out, _ = run("verify", broken, "--against", good.checkpoint.path, "--limit", 4)
    assert code == 3
    assert f"first layer to differ: {LAYER}, whose mixing weights are off" in " ".join(out.split())


def cut(source: Path, target: Path, size: int) -> Path:
    target.write_bytes(source.read_bytes()[:size])
    return target


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda good, folder: folder / "nowhere.onnx", "no such artifact"),
        (lambda good, folder: cut(good, folder / "cut.onnx", good.stat().st_size // 2), "does not accept the artifact"),
        (lambda good, folder: cut(good, folder / "empty.onnx", 0), "does not accept the artifact"),
        (lambda good, folder: cut(good, folder / "other.zip", 100), "not an artifact"),
        (lambda good, folder: cut(Path(__file__), folder / "text.tflite", 2000), "does not accept the artifact"),
    ],
    ids=["missing", "cut off", "empty", "no artifact", "foreign"],
)
def test_one_sentence_and_exit_2(
    artifact_of: Callable[..., Made], run: Run, tmp_path: Path, spoil: Callable[[Path, Path], Path], words: str
) -> None:
    good = artifact_of("onnx")
    code, out, err = run("verify", spoil(good.path, tmp_path), "--against", good.checkpoint.path)
    assert (code, out) == (2, "")
    assert words in err
    assert len([line for line in err.splitlines() if line and not line.startswith("INFO")]) == 1


@pytest.mark.slow
def test_a_tflite_file_that_lost_its_last_bytes(artifact_of: Callable[..., Made], run: Run, tmp_path: Path) -> None:
    """The flatbuffer is whole and runs; only the metadata behind it is cut."""
    good = artifact_of("tflite")
    short = cut(good.path, tmp_path / "short.tflite", good.path.stat().st_size - 10)
    code, _, err = run("verify", short, "--against", good.checkpoint.path)
    assert code == 2
    assert "cut off" in err


def test_another_checkpoint(artifact_of: Callable[..., Made], run: Run, tmp_path: Path) -> None:
    good = artifact_of("onnx")
    other = write_random(replace(good.checkpoint.spec, seed=8), tmp_path / "other.safetensors")
    code, _, err = run("verify", good.path, "--against", other)
    assert code == 3
    assert len(err.splitlines()) == 1
    assert "made from another checkpoint" in err


def test_a_missing_file_is_found_before_anything_runs(
    artifact_of: Callable[..., Made], run: Run, tmp_path: Path
) -> None:
    good = artifact_of("onnx")
    code, out, err = run("verify", good.path, tmp_path / "b.onnx", "--against", good.checkpoint.path)
    assert (code, out) == (2, "")
    assert "b.onnx" in err


def test_images_that_do_not_decode_are_named(artifact_of: Callable[..., Made], run: Run, tmp_path: Path) -> None:
    from PIL import Image

    good = artifact_of("onnx")
    (tmp_path / "cat").mkdir()
    for index in range(3):
        Image.new("RGB", (40, 30), (index * 60, 90, 30)).save(tmp_path / "cat" / f"{index}.png")
    (tmp_path / "cat" / "bad.png").write_bytes(b"no picture")
    code, out, _ = run("verify", good.path, "--against", good.checkpoint.path, "--data", tmp_path, "--json")
    assert code == 0
    assert json.loads(out)["artifacts"][0]["skipped"] == ["cat/bad.png"]
    assert json.loads(out)["artifacts"][0]["images"] == 3
