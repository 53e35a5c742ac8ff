"""Settings files: what is misspelt is refused, and a project cannot write outside of itself or change a command's nature."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.app import build_app
from eamdeploy.cli.options import config


@pytest.fixture(scope="module")
def root() -> object:
    return typer.main.get_command(build_app())


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return folder


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[benhc]\nruns = 3", "unknown command 'benhc'.*did you mean 'bench'"),
        ("[bench]\nrun = 3", "unknown setting 'run'.*\\[bench\\].*did you mean 'runs'"),
        ('[bench]\nruns = "3"', "'runs' must be a whole number.*it is '3'"),
        ("[bench]\nruns = true", "'runs' must be a whole number"),
        ("[bench]\nstore = 3", "'store' must be a text"),
        ("[bench]\nspinning = 1", "'spinning' must be true or false"),
        ("[bench]\nruntime = ['litert']", "'runtime' must be a text"),
        ("[gate]\ncurrent = 'a.json'", "'current' must be a list, each a text"),
        ("bench = 3", "'bench' must be a table"),
        ("[history.exprot]\nstore = 'x'", "unknown setting 'exprot'.*did you mean 'export'"),
        ("[gate]\nwrite_baseline = 'b.json'", "cannot decide 'gate.write_baseline'"),
        ("[gate]\nwrite-baseline = 'b.json'", "cannot decide 'gate.write-baseline'"),
        ("[devices.setup]\nruntime = ['x']", "cannot decide 'devices.setup'"),
        ("[devices.add]\npython = 'x'", "cannot decide 'devices.add'"),
        ("[report]\nout = '../report.html'", "cannot set 'out'.*outside of the project"),
        ("[report]\nout = '/etc/passwd'", "cannot set 'out'"),
        ("[report]\nout = '~/x.html'", "cannot set 'out'"),
        ("[report]\nout = 'link/x.html'", "cannot set 'out'"),
        ("[gate]\njunit = '../x.xml'", "cannot set 'junit'"),
        ("[bench]\nstore = '../runs.db'", "cannot set 'store'"),
        ("x = " + "[" * 10_000, "cannot read the settings file"),
        ("[", "cannot read the settings file"),
        ("a = 1\n" * 300_000, "larger than"),
    ],
)
def test_what_a_project_cannot_say(root: object, project: Path, text: str, words: str) -> None:
    (project / "link").symlink_to(project.parent)
    (project / "eamdeploy.toml").write_text(text)
    with pytest.raises(UsageError, match=words) as refused:
        config.default_map(root)
    assert "eamdeploy.toml" in str(refused.value)


def test_what_it_can(root: object, project: Path) -> None:
    (project / "pyproject.toml").write_text(
        "[tool.eamdeploy.bench]\nthreads = 4\nmax-seconds = 3\nall = true\n"
        "[tool.eamdeploy.report]\nout = 'out/report.html'\njson = true\n[tool.eamdeploy.history.export]\ndevice = 'pi4'\n"
    )
    defaults = config.default_map(root)
    assert defaults["bench"] == {"threads": "4", "max_seconds": 3, "every": True}
    assert defaults["report"] == {"out": "out/report.html", "as_json": True}
    assert defaults["history"]["export"] == {"device": "pi4"}


def test_the_user_s_own_file_may_say_everything(root: object, project: Path) -> None:
    config.user_file().parent.mkdir(parents=True)
    config.user_file().write_text("[gate]\nwrite_baseline = '/x/b.json'\n[report]\nout = '/x/report.html'\n")
    assert config.default_map(root)["gate"] == {"write_baseline": "/x/b.json"}
    (project / "named.toml").write_text("[report]\nout = '/y/report.html'\n")
    assert config.default_map(root, "named.toml")["report"] == {"out": "/y/report.html"}
