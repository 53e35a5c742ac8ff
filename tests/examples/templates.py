"""The CI templates as their servers would run them: each one's own shell steps, in order, with what it sets."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="PyYAML reads the templates")
CI = Path(__file__).parents[2] / "examples" / "ci"
# eamdeploy is installed already; what they would install is written down
INSTALLERS = ("pip", "sudo", "apt-get")


@dataclass(frozen=True)
class TemplateJob:
    """Shell steps and the environment that a template gives them."""

    steps: tuple[str, ...]
    environment: Mapping[str, str]


def github(model: str, **input_values: str) -> TemplateJob:
    """The composite action, with a workflow's ``with``."""
    action = yaml.safe_load((CI / "action" / "action.yml").read_text("utf-8"))
    inputs = {name: each.get("default", "") for name, each in action["inputs"].items()}
    inputs |= {"model": model} | {name.lower(): value for name, value in input_values.items()}
    environment = {"GITHUB_ACTION_PATH": str(CI / "action"), "GITHUB_ACTIONS": "true", "RUNNER_OS": "Linux"}
    steps = [step for step in action["runs"]["steps"] if "run" in step]
    for step in steps:
        for name, value in step["env"].items():
            environment[name] = re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda match: inputs[match[1]], value)
    return TemplateJob(tuple(step["run"] for step in steps), environment)


def gitlab(model: str, **settings: str) -> TemplateJob:
    """The job of ``gitlab.yml``, with a user's variables."""
    job = yaml.safe_load((CI / "gitlab.yml").read_text("utf-8"))["model"]
    variables = job["variables"] | {"MODEL": model} | settings
    return TemplateJob(tuple(job["before_script"] + job["script"]), {"CI_PROJECT_DIR": ".", **variables})


def jenkins(model: str, **settings: str) -> TemplateJob:
    """The ``sh`` steps of the ``Jenkinsfile``, with a user's variables."""
    text = (CI / "Jenkinsfile").read_text("utf-8")
    variables = dict(re.findall(r"^    ([A-Z]+) = '([^']*)'$", text, re.MULTILINE))
    return TemplateJob(tuple(re.findall(r"sh '([^']*)'", text)), variables | {"MODEL": model} | settings)


SERVERS: dict[str, Callable[..., TemplateJob]] = {"github": github, "gitlab": gitlab, "jenkins": jenkins}


def run(job: TemplateJob, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the job's steps in ``folder``, a user's repository, up to the first that fails."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    stubs = folder / ".stubs"
    stubs.mkdir(exist_ok=True)
    for name in INSTALLERS:
        (stubs / name).write_text(f'#!/bin/sh\necho "{name} $@" >> "{stubs}/log"\n', "utf-8")
        (stubs / name).chmod(0o755)
    (folder / "ci").mkdir(exist_ok=True)
    shutil.copy(CI / "check.sh", folder / "ci" / "check.sh")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EAMDEPLOY", "GITHUB"))}
    environment |= {"PATH": os.pathsep.join((str(stubs), str(Path(sys.executable).parent), os.environ["PATH"]))}
    script = "set -eo pipefail\n" + "\n".join(job.steps)
    return subprocess.run(
        [bash, "--noprofile", "--norc", "-c", script], cwd=folder, capture_output=True, text=True, check=False,
        timeout=900, env={**environment, **job.environment},
    )  # fmt: skip


def installations(folder: Path) -> str:
    """What the steps would have installed."""
    return (folder / ".stubs" / "log").read_text("utf-8")
