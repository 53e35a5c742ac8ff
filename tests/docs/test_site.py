"""The documentation site builds strictly, and the pages avoid sentences that readers stumbled on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT

# how they began; each has a clearer form now
STUMBLED_ON = (
    "A file that is not never gets its name",
    "Exporters freeze such kernels or refuse them",
    "beyond the noise, and only then",
    "is the doctor, `devices setup`",
    "is outside of what those measured",
    "machine is called invalid",
    "A class with a slash in its name is a folder in a folder",
    "Asked again, on your images",
    "what does it say of one picture",
    "so that what slows the machine slows all of them",
    "The pages go on in the folder that",
    "A latency of another day is judged",
    "since 2 % is as likely",
    "Two hours later on the same machine",
    "What it does not know it does not fail",
    "its content policy forbids that it could",
    "What there is nothing for is left out",
    "An artifact that is there already, ours or anybody's",
    "Left out, `--data` means",
    "it would compute wrongly without a word",
    "Let the doctor look",
    "nothing keeps running or lying on a board",
    "never stands without its interval",
    "neither says how images become",
    "A change that is meant to cost something",
    "what nothing beats",
    "that nothing beats",
)


@pytest.mark.parametrize("sentence", STUMBLED_ON)
def test_no_page_holds_a_sentence_that_readers_stumbled_on(sentence: str) -> None:
    page_names = [page.name for page in PAGES if sentence in " ".join(page.read_text("utf-8").split())]
    assert page_names == []


@pytest.mark.slow
def test_the_site_builds_strictly(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "site" / "reference" / "api" / "index.html").is_file()
    pages = [*(tmp_path / "site").rglob("index.html")]
    drawn = [page for page in pages if 'class="mermaid"' in page.read_text("utf-8")]
    assert len(drawn) >= 3
    if not (tmp_path / "site" / "assets" / "mermaid.min.js").exists():
        pytest.skip("npm could not fetch mermaid: diagrams are drawn by the theme's own copy")
    for page in drawn:  # from the site itself, not from elsewhere
        (source,) = re.findall(r'<script src="([^"]*mermaid[^"]*)"', page.read_text("utf-8"))
        assert (page.parent / source).is_file()


def test_a_script_that_is_not_the_reviewed_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    import diagrams

    diagrams.cached().parent.mkdir(parents=True)
    diagrams.cached().write_text("alert(1)")
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert diagrams.fetch() is None  # the damaged copy is not taken, and npm is not there
