"""The whole workflow's own shell steps, run in order as a runner would: they pass, and a regression ends the gate with 4."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML reads the workflows")
WORKFLOW = Path(__file__).parents[2] / "examples" / "ci" / "gate.yml"
SHIPPED = "fashion-mnist-v1x0.25-eam-rcr"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


class Runner:
    """Runs steps by name with bash as GitHub does: ``-e`` and ``pipefail``, the workflow's environment, a summary file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workflow = yaml.safe_load(WORKFLOW.read_text("utf-8"))
        (job,) = self.workflow["jobs"].values()
        self.steps = {step["name"]: step["run"] for step in job["steps"] if "run" in step}

    def __call__(self, name: str, *, change: tuple[str, str] = ("", "")) -> subprocess.CompletedProcess[str]:
        """Run a step; ``change`` is a text of it to be replaced, which must be there."""
        assert change[0] in self.steps[name]
        return self.shell(self.steps[name].replace(*change) if change[0] else self.steps[name])

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        bash = shutil.which("bash")
        if bash is None:
            pytest.skip("bash is not installed")
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"), "GITHUB_ACTIONS": "true",
        }  # fmt: skip
        return subprocess.run(
            [bash, "--noprofile", "--norc", "-eo", "pipefail", "-c", script], cwd=self.folder, capture_output=True,
            text=True, timeout=1500, env={**os.environ, **environment, **self.workflow["env"]},
        )  # fmt: skip


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A user's repository with a checkpoint, after the export and the verification."""
    from eamdeploy.networks.zoo.shipped import resolve_checkpoint

    folder = tmp_path_factory.mktemp("repository")
    shutil.copy(resolve_checkpoint(SHIPPED), folder / "model.safetensors")
    workflow_runner = Runner(folder)
    done = workflow_runner.shell(
        "git init -q . && git add -A && git -c user.name=x -c user.email=x@y commit -q -m model"
    )
    assert done.returncode == 0, done.stderr
    for name in ("Export", "Verify on real images"):
        done = workflow_runner(name)
        assert done.returncode == 0, f"{name}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return workflow_runner


def write_baseline(runner: Runner) -> None:
    """By the step of the first run."""
    done = runner("First baseline")
    assert done.returncode == 0, done.stderr


def test_the_steps_are_these(runner: Runner) -> None:
    assert list(runner.steps) == [
        "Install", "Export", "Verify on real images", "Accuracy on the emulated board",
        "Instructions on the emulated board", "First baseline", "Gate", "Report",
    ]  # fmt: skip


def test_gate_and_report_with_runs_of_this_host(runner: Runner) -> None:
    """The board's step is run on this host: what follows it is the same."""
    on_host = ("--device pi4 --limit 500", "--data images --limit 100 --max-seconds 0.5")
    sample = (
        "from eamdeploy.data import embedded_sample as e; from pathlib import Path; s = e()\nfor i in range(len(s)):\n"
    )
    sample += " p = Path('images', s.classes[s.label(i)]); p.mkdir(parents=True, exist_ok=True); s.image(i).save(p / f'{i}.png')"
    subprocess.run([sys.executable, "-c", sample], cwd=runner.folder, check=True)
    assert runner("Accuracy on the emulated board", change=on_host).returncode in (0, 5)
    write_baseline(runner)
    assert runner("Accuracy on the emulated board", change=on_host).returncode in (0, 5)
    # a busy machine's latency is no subject here
    loose = ("--max-instructions-increase 2", "--max-latency-increase off")
    done = runner("Gate", change=loose)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (runner.folder / "out" / "gate.xml").exists()
    assert "eamdeploy gate passed" in (runner.folder / "summary.md").read_text("utf-8")

    # a regression: the files are twice the size of the baseline's
    baseline = runner.folder / "ci" / "baseline.json"
    text = baseline.read_text("utf-8")
    baseline.write_text(re.sub(r'"bytes": ?(\d+)', lambda match: f'"bytes": {int(match[1]) // 2}', text), "utf-8")
    failed = runner("Gate", change=loose)
    baseline.write_text(text, "utf-8")
    assert failed.returncode == 4, failed.stdout + failed.stderr
    assert "larger" in failed.stdout + failed.stderr
    assert "::error" in failed.stderr + failed.stdout
    # the report is made after a failed gate too, as the workflow asks
    assert runner("Report").returncode == 0
    assert "<svg" in (runner.folder / "out" / "report.html").read_text("utf-8")


@pytest.mark.emulated
def test_the_whole_workflow_on_an_emulated_board(runner: Runner) -> None:
    for program in ("qemu-system-aarch64", "mmdebstrap"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    runner.workflow["env"]["EAMDEPLOY_STORE"] = "emulated.db"
    boards = ("Accuracy on the emulated board", "Instructions on the emulated board")
    for name in boards:
        done = runner(name)
        assert done.returncode == 0, f"{name}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    write_baseline(runner)
    for name in boards:
        assert runner(name).returncode == 0
    done = runner("Gate")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "instructions" in done.stdout
    # a regression that only the count sees: another plan of the same function
    export = runner("Export", change=("--precision fp32,int8", "--precision fp32 --lowering experts"))
    assert export.returncode == 0, export.stderr
    assert runner("Instructions on the emulated board").returncode == 0
    failed = runner("Gate")
    assert failed.returncode == 4, failed.stdout + failed.stderr
