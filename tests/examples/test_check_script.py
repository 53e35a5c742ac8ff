"""The templates for GitHub, GitLab and Jenkins: green and red, for a checkpoint and for a classifier from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.examples.templates import CI, SERVERS, installations, run, yaml


def test_each_action_has_one_version() -> None:
    versions_by_action: dict[str, set[str]] = {}
    for file in [*CI.rglob("*.yml"), *(CI.parents[1] / ".github").rglob("*.yml")]:
        for action, version in re.findall(r"uses: ([\w./-]+)@(\S+)", file.read_text("utf-8")):
            versions_by_action.setdefault(action, set()).add(version)
    assert {action: versions for action, versions in versions_by_action.items() if len(versions) > 1} == {}


def test_templates_give_the_script_variables_that_it_knows() -> None:
    known_names = set(re.findall(r"^#   ([A-Z]+) ", (CI / "check.sh").read_text("utf-8"), re.MULTILINE))
    action = yaml.safe_load((CI / "action" / "action.yml").read_text("utf-8"))
    check = next(step for step in action["runs"]["steps"] if step["name"] == "Check")
    assert set(check["env"]) == known_names
    assert {name.upper() for name in action["inputs"]} == known_names
    text = (CI / "github.yml").read_text("utf-8")
    # what is commented out is there to be uncommented
    whole = yaml.safe_load(
        text.replace("          # preprocessing:", "          preprocessing:").replace("# labels:", "labels:")
    )
    (step,) = [step for step in whole["jobs"]["check"]["steps"] if step.get("uses", "").startswith("eamdeploy/")]
    assert {"preprocessing", "labels", "model", "images", "device"} == set(step["with"])
    for server in ("gitlab", "jenkins"):
        caches = {"PIP_CACHE_DIR", "EAMDEPLOY_CACHE", "CI_PROJECT_DIR"}
        assert set(SERVERS[server]("x").environment) - known_names <= caches


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS)
def test_a_template_installs_what_its_steps_need(server: str, tmp_path: Path) -> None:
    job = SERVERS[server]("own.tflite", DEVICE="pi4")
    (tmp_path / "ci").mkdir()
    done = run(type(job)(job.steps[:-1], job.environment), tmp_path)
    assert done.returncode == 0, done.stderr
    log = installations(tmp_path)
    assert re.search(r"pip install .*\[(?:export|tflite),boards,report\]", log)
    if server == "github":  # of this very version of the action; a .tflite file needs the converter's package
        assert "/action/../../..[tflite,boards,report]" in log
        assert (CI / "action" / ".." / ".." / ".." / "pyproject.toml").exists()
    if server != "jenkins":
        assert "qemu-system-arm" in log


def write_images(folder: Path, names: list[str] | None = None) -> None:
    """The embedded sample as a user's images, in folders named after their classes or as ``names`` says."""
    from eamdeploy.data import embedded_sample

    sample = embedded_sample()
    for index in range(len(sample)):
        name = names[index] if names else sample.classes[sample.label(index)]
        path = folder / "images" / name / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        sample.image(index).convert("RGB" if names else "L").save(path)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_gitlab_with_a_classifier_from_elsewhere_is_green_and_with_a_broken_one_red(tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    import eamdeploy
    from eamdeploy.data import embedded_sample

    (artifact,) = eamdeploy.export("fashion-mnist-v1x0.25-eam-rcr", tmp_path / "elsewhere")
    model = onnx.load(artifact.path)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "own.onnx")
    write_images(tmp_path)
    (tmp_path / "labels.txt").write_text("\n".join(embedded_sample().classes) + "\n", "utf-8")
    job = SERVERS["gitlab"](
        "own.onnx", IMAGES="images", LABELS="labels.txt",
        PREPROCESSING='{"size": 28, "channels": 1, "mean": [0.286], "std": [0.353]}',
    )  # fmt: skip

    first = run(job, tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "first run" in first.stdout
    second = run(job, tmp_path)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "gate passed" in second.stdout
    # its own form and the int8 one are both judged
    assert {"own.onnx", "own-int8.onnx"} <= set(re.findall(r"accuracy\.top1, (\S+) on host", second.stdout))

    # the classifier forgets half of its classes
    last = next(node for node in reversed(model.graph.node) if node.op_type in ("Gemm", "MatMul"))
    weight = next(each for each in model.graph.initializer if each.name == last.input[1])
    values = numpy_helper.to_array(weight).copy()
    values[(slice(5), ...) if weight.dims[0] == 10 else (..., slice(5))] = 0
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    onnx.save(model, tmp_path / "own.onnx")
    broken = run(job, tmp_path)
    assert broken.returncode == 4, broken.stdout + broken.stderr
    assert "accuracy" in broken.stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_github_with_the_cifar_checkpoint_is_green_and_with_a_broken_one_red(tmp_path: Path) -> None:
    import torch

    from eamdeploy.data import embedded_sample
    from eamdeploy.networks.checkpoint import load_checkpoint, save_checkpoint

    checkpoint = load_checkpoint("cifar10-v1x0.25-eam-rcr")
    sample = embedded_sample()
    from eamdeploy.data.preprocessing import Preprocessing

    prepare = Preprocessing(**checkpoint.preprocessing)
    with torch.no_grad():
        pixels = [torch.from_numpy(prepare.apply(sample.image(index).convert("RGB"))) for index in range(len(sample))]
        answers = torch.cat([checkpoint.network(each[None]).argmax(1) for each in pixels])
    # these pictures are of no class of it: its own answers label them
    write_images(tmp_path, [checkpoint.classes[answer] for answer in answers.tolist()])

    def save() -> None:
        save_checkpoint(
            tmp_path / "model.safetensors", checkpoint.network, preprocessing=checkpoint.preprocessing,
            classes=checkpoint.classes,
        )  # fmt: skip

    save()
    job = SERVERS["github"]("model.safetensors", IMAGES="images")
    first = run(job, tmp_path)
    assert first.returncode == 0, first.stdout + first.stderr
    assert (tmp_path / "ci" / "baseline.json").exists()
    second = run(job, tmp_path)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "gate passed" in second.stdout

    # the same function in another file, of a network that always answers one class: parity holds, the gate does not
    weight = next(
        each for name, each in checkpoint.network.named_parameters() if name.startswith("classifier") and each.ndim > 1
    )
    with torch.no_grad():
        weight.zero_()
    save()
    broken = run(job, tmp_path)
    assert broken.returncode == 4, broken.stdout + broken.stderr
    assert "::error" in broken.stdout + broken.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_jenkins_with_a_shipped_checkpoint_and_the_bundled_images(tmp_path: Path) -> None:
    job = SERVERS["jenkins"]("fashion-mnist-v1x0.25-eam-rcr", IMAGES="")
    (step,) = job.steps[-1:]
    done = run(type(job)((step,), job.environment), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "first run" in done.stdout
    assert (tmp_path / "out" / "report.html").exists()
