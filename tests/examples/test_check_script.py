"""The CI script that GitHub, GitLab and Jenkins share: green and red, for a checkpoint and for a classifier from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML reads the templates")
CI = Path(__file__).parents[2] / "examples" / "ci"
SHIPPED = "fashion-mnist-v1x0.25-eam-rcr"


def test_each_action_has_one_version() -> None:
    found: dict[str, set[str]] = {}
    for file in [*CI.rglob("*.yml"), *(CI.parents[1] / ".github").rglob("*.yml")]:
        for action, version in re.findall(r"uses: ([\w./-]+)@(\S+)", file.read_text("utf-8")):
            found.setdefault(action, set()).add(version)
    assert {action: versions for action, versions in found.items() if len(versions) > 1} == {}


def test_templates_give_the_script_variables_that_it_knows() -> None:
    known = set(re.findall(r"^#   ([A-Z]+) ", (CI / "check.sh").read_text("utf-8"), re.MULTILINE))
    action = yaml.safe_load((CI / "action" / "action.yml").read_text("utf-8"))
    check = next(step for step in action["runs"]["steps"] if step["name"] == "Check")
    assert set(check["env"]) == known
    assert {name.upper() for name in action["inputs"]} == known
    (workflow_step,) = [
        step for step in yaml.safe_load((CI / "github.yml").read_text("utf-8"))["jobs"]["check"]["steps"]
        if step.get("uses", "").startswith("eamdeploy/")
    ]  # fmt: skip
    assert set(workflow_step["with"]) <= set(action["inputs"])
    assert set(yaml.safe_load((CI / "gitlab.yml").read_text("utf-8"))["model"]["variables"]) - known == {
        "PIP_CACHE_DIR"
    }


def check(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EAMDEPLOY")}
    return subprocess.run(
        [bash, str(CI / "check.sh")], cwd=folder, capture_output=True, text=True, check=False, timeout=900,
        env=environment | {"PATH": path, **variables},
    )  # fmt: skip


def write_images(folder: Path) -> Path:
    from eamdeploy.data import embedded_sample

    sample = embedded_sample()
    for index in range(len(sample)):
        path = folder / "images" / sample.classes[sample.label(index)] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        sample.image(index).save(path)
    return folder / "images"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_classifier_from_elsewhere_is_green_and_a_broken_one_is_red(tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    import eamdeploy
    from eamdeploy.data import embedded_sample

    (made,) = eamdeploy.export(SHIPPED, tmp_path / "made")
    model = onnx.load(made.path)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "own.onnx")
    images = write_images(tmp_path)
    (tmp_path / "labels.txt").write_text("\n".join(embedded_sample().classes) + "\n", "utf-8")
    said = {
        "MODEL": "own.onnx", "IMAGES": str(images), "LABELS": "labels.txt",
        "PREPROCESSING": '{"size": 28, "channels": 1, "mean": [0.286], "std": [0.353]}',
    }  # fmt: skip

    first = check(tmp_path, **said)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "first run" in first.stdout
    second = check(tmp_path, **said)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "gate passed" in second.stdout

    # the classifier forgets half of its classes
    last = next(node for node in reversed(model.graph.node) if node.op_type in ("Gemm", "MatMul"))
    weight = next(each for each in model.graph.initializer if each.name == last.input[1])
    values = numpy_helper.to_array(weight).copy()
    values[(slice(5), ...) if weight.dims[0] == 10 else (..., slice(5))] = 0
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(model, tmp_path / "own.onnx")
    broken = check(tmp_path, **said)
    assert broken.returncode == 4, broken.stdout + broken.stderr
    assert "accuracy" in broken.stdout
