"""What the pages name exists: commands, options, extras, targets, modules; also where nothing can be run."""

from __future__ import annotations

import re
import shlex
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer

from eamdeploy.cli.app import build_app
from eamdeploy.cli.reference import commands, flags, main, render_reference
from tests.docs.pages import GENERATED, PAGES, README, ROOT, blocks, command_lines, spans, unfenced_commands

# what cannot be run by a test, by page: installing, the suite itself, another's data
SHOWN_ONLY = {
    "README.md": 6,
    "quick-start.md": 1,
    "training.md": 3,
    "ci.md": 1,
    "devices.md": 2,
    "pi-to-number.md": 1,
}


@cache
def options() -> dict[str, set[str]]:
    """Every command's options."""
    root = typer.main.get_command(build_app())
    return {name.removeprefix("eamdeploy "): flags(command) for name, command in commands(root)}


def unknown(words: list[str]) -> list[str]:
    """What is wrong with an ``eamdeploy`` command, in words; nothing where all of it exists."""
    names = [word for word in words if not word.startswith("-")]
    command = next((name for name in (" ".join(names[:2]), " ".join(names[:1])) if name in options()), None)
    if command is None:
        return [] if not names and {"--version", "--help", "--install-completion"} & set(words) else [
            f"no command '{' '.join(names[:2])}'"
        ]  # fmt: skip
    option_names = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    return [f"{command} has no {flag}" for flag in sorted(option_names - options()[command])]


def wrong(words: list[str]) -> list[str]:
    """What is wrong with any command that the pages show."""
    match words:
        case ["eamdeploy", *rest]:
            return unknown(rest)
        case ["torchrun", *rest]:
            return (
                unknown(rest[rest.index("eamdeploy") + 1 :]) if "eamdeploy" in rest else ["torchrun of something else"]
            )
        case ["make", target, *_]:
            return (
                []
                if re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
                else ["no target"]
            )
        case ["pip", "install", *what]:
            project = (ROOT / "pyproject.toml").read_text()
            extras = {name for item in what for name in re.findall(r"\[(.*?)\]", item)}
            names = {name for listed in extras for name in listed.split(",")}
            return [
                f"no extra '{name}'" for name in sorted(names) if not re.search(rf"^{name} = \[", project, re.MULTILINE)
            ]
        case [*variables, "bash", "ci/check.sh"]:  # the copy in a user's repository
            script = (ROOT / "examples" / "ci" / "check.sh").read_text("utf-8")
            settings = [word.partition("=")[0] for word in variables]
            return [
                f"check.sh knows no {name}"
                for name in settings
                if not re.search(rf"^#   {name} ", script, re.MULTILINE)
            ]
        case ["python", "-m", module, *rest]:
            return module_errors(module, rest)
        case _:
            return [f"'{words[0]}' is not known here"]


def module_errors(module: str, words: list[str]) -> list[str]:
    """A module of ours exists, and its text has each option."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return [f"no module {module}"]
    folder = Path(spec.origin).parent
    files = folder.glob("*.py") if spec.submodule_search_locations else [Path(spec.origin)]
    text = "".join(file.read_text("utf-8") for file in files)
    return [f"{module} has no {word}" for word in words if word.startswith("--") and f'"{word}"' not in text]


@pytest.mark.parametrize("page", [page for page in PAGES if page != GENERATED], ids=lambda page: page.name)
def test_commands_stand_in_blocks_that_are_run_or_checked(page: Path) -> None:
    assert unfenced_commands(page) == []
    assert {block.language for block in blocks(page)} <= {
        "bash",
        "python",
        "console",
        "text",
        "toml",
        "yaml",
        "json",
        "mermaid",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_only_shown_exists(page: Path) -> None:
    shown_commands = [
        words for block in blocks(page) if block.language == "console" for words in command_lines(block.text)
    ]
    assert [(words, complaint) for words in shown_commands if (complaint := wrong(words))] == []
    if page != GENERATED:  # its examples are parsed by the tests of the help
        assert len(shown_commands) <= SHOWN_ONLY.get(page.name, 0), "run it, or say why it cannot be run"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_sentences_name_exists(page: Path) -> None:
    starts = ("eamdeploy ", "python -m ", "make ", "pip install ")
    named = [shlex.split(span.replace("…", "")) for span in spans(page) if span.startswith(starts)]
    # "bench --data" in a sentence is a command without its first word
    named += [["eamdeploy", *span.split()] for span in spans(page) if re.match(r"[a-z]+ --[a-z]", span)
              and span.split()[0] in options()]  # fmt: skip
    assert [(words, complaint) for words in named if (complaint := wrong(words))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_sentence_names_an_option_that_nothing_has(page: Path) -> None:
    known_options = set().union(*options().values()) | {
        "--version", "--install-completion", "--show-completion", "--config", "--wide", "--debug"
    }  # fmt: skip
    named = {
        word.partition("=")[0]
        for span in spans(page)
        if span.startswith("--")
        for word in re.findall(r"--[a-z][\w-]*", span)
    }
    assert named <= known_options


def test_the_checks_see_what_is_wrong() -> None:
    assert wrong(["eamdeploy", "bench", "net.onnx", "--nope"]) == ["bench has no --nope"]
    assert wrong(["eamdeploy", "benhc", "net.onnx"]) == ["no command 'benhc net.onnx'"]
    assert wrong(["eamdeploy", "devices", "add", "x", "--hots", "pi"]) == ["devices add has no --hots"]
    assert wrong(["pip", "install", "eamdeploy[exprot]"]) == ["no extra 'exprot'"]
    assert wrong(["make", "tset"]) == ["no target"]
    assert wrong(["python", "-m", "benchmarks.nope"]) == ["no module benchmarks.nope"]
    assert wrong(["torchrun", "--nproc_per_node", "2", "-m", "eamdeploy", "train", "--dta", "x"]) == [
        "train has no --dta"
    ]


def test_the_reference_is_what_the_application_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    narrow = render_reference()
    monkeypatch.setenv("COLUMNS", "300")
    main([str(tmp_path / "reference.md")])
    assert (tmp_path / "reference.md").read_text("utf-8") == narrow
    assert GENERATED.read_text("utf-8") == narrow, "docs/reference/reference.md is out of date: make docs"
    for name, known_options in options().items():
        section = narrow.partition(f"\n## eamdeploy {name}\n")[2].partition("\n## ")[0]
        assert all(f"`{flag}`" in section for flag in known_options - {"--help", "-h", "--debug", "--wide"}), name


def test_links_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#]*)(#[^)]*)?\)", page.read_text("utf-8")):
            if "://" in target:
                continue
            target_path = page.parent / target if target else page
            heads = (
                re.findall(r"^#+ (.*)$", target_path.read_text("utf-8"), re.MULTILINE)
                if target_path.suffix == ".md"
                else []
            )
            anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
            if not target_path.exists() or (anchor and anchor[1:] not in anchors):
                broken.append(f"{page.name}: {target}{anchor}")
    assert broken == []


def test_every_page_is_in_the_index_and_in_the_readme() -> None:
    docs = ROOT / "docs"
    index, front = (docs / "README.md").read_text("utf-8"), README.read_text("utf-8")
    pages = {page.relative_to(docs).as_posix() for page in PAGES if page.is_relative_to(docs)} - {"README.md"}
    assert {name for name in pages if f"({name})" not in index} == set()
    assert {name for name in pages if f"(docs/{name})" not in front} == set()
