"""The pages are plain English: no sentence that readers stumbled on, no page that is hard to read, messages that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT

# the beginning of each sentence that readers did not understand
STUMBLED = """
A file that is not never gets its name
Exporters freeze such kernels or refuse them
a regression that is beyond the noise, and only then
is the doctor, `devices setup` installs a runtime
is outside of what those measured
a run on a hot or busy machine is called invalid
are a tree with one folder a class
Asked again, on your images
what does it say of one picture
Files given together are measured in turns
The pages go on in the folder that
A latency of another day is judged
since 2 % is as likely
Two hours later on the same machine
What it does not know it does not fail
it asks for nothing from the network
What there is nothing for is left out
An artifact that is there already, ours or anybody's
means the embedded sample where the classes fit
it would compute wrongly without a word
Let the doctor look
nothing keeps running or lying on a board
never stands without its interval
Of two files that eamdeploy did not write
A change that is meant to cost something
Images in one inference, where it is open
'off' does not ask
would be a factor of
line: what nothing beats
directions it moves
""".strip().splitlines()
CODE = ("eamdeploy", "export", "runtimes", "devices")


def _plain(text: str) -> str:
    """One line, without quotes that end a string of code in the middle of a sentence."""
    return " ".join(re.sub(r"[\"']\s*\n\s*f?[\"']", "", text).split()).lower()


def _sources() -> list[Path]:
    pages = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
    return [*pages, *(file for folder in CODE for file in (ROOT / folder).rglob("*.py"))]


def test_no_sentence_that_readers_stumbled_on() -> None:
    texts = {file.relative_to(ROOT).as_posix(): _plain(file.read_text("utf-8")) for file in _sources()}
    hits = [(name, words) for name, text in texts.items() for words in STUMBLED if words.lower() in text]
    assert hits == []
    assert len(texts) > 400


def test_messages_of_the_troubleshooting_page_exist() -> None:
    page = (DOCS / "reference" / "troubleshooting.md").read_text("utf-8")
    messages = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert len(messages) > 15
    code = " ".join(_plain(file.read_text("utf-8")) for folder in CODE for file in (ROOT / folder).rglob("*.py"))
    assert [message for message in messages if message.lower() not in code] == []


@pytest.mark.skipif(find_spec("readability") is None, reason="the linter for prose is not installed: make setup")
def test_every_page_and_the_help_are_readable() -> None:
    done = subprocess.run([sys.executable, str(ROOT / ".ci" / "prose.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(find_spec("readability") is None, reason="the linter for prose is not installed: make setup")
def test_a_page_that_is_hard_to_read_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    import prose

    long = (
        "The implementation of internationalisation "
        + "and the characterisation of operationalised heterogeneity " * 14
    )
    problems = prose.read("page", prose.prose_of(f"# Title\n\n{long}.")).problems
    assert any("grade" in problem for problem in problems)
    assert any("a sentence of" in problem for problem in problems)
    assert (
        prose.read("page", prose.prose_of("# Title\n\nExport writes a file. Then bench measures it.\n")).problems == []
    )
