"""What the pages show: their fenced blocks, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
START = DOCS / "tutorials" / "quick-start.md"
PAGES = [README, *sorted(page for page in DOCS.rglob("*.md") if page.parent.name != "adr")]
# read from the application by its generator; a test of its own keeps it so
GENERATED = DOCS / "reference" / "reference.md"

_FENCE = re.compile(r"^( *)```([a-z]*)([^\n]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^ {0,8}(?:\$ )?(?:eamdeploy|python|pip|make|torchrun)\b.*", re.MULTILINE)


@dataclass(frozen=True)
class FencedBlock:
    """A fenced block: its language, the words behind it, and what it holds."""

    language: str
    words: tuple[str, ...]
    text: str


def blocks(page: Path) -> list[FencedBlock]:
    """The page's fenced blocks, in order."""
    return [
        FencedBlock(language, tuple(words.split()), re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
        for indent, language, words, text in _FENCE.findall(page.read_text("utf-8"))
    ]


def runnable(page: Path, *, emulated: bool = False) -> list[FencedBlock]:
    """The blocks that are run; ``emulated``: those that need an emulated board."""
    code_blocks = [block for block in blocks(page) if block.language in ("bash", "python")]
    return [block for block in code_blocks if ("emulated" in block.words) == emulated]


def unfenced_commands(page: Path) -> list[str]:
    """Lines that read as commands and are in no block that is run or checked."""
    text = page.read_text("utf-8")
    for indent, language, words, body in _FENCE.findall(text):
        if language in ("bash", "console", "python", "yaml"):
            text = text.replace(f"{indent}```{language}{words}\n{body}", "")
    return [line for line in _COMMAND.findall(text) if line.startswith("    ")]


def spans(page: Path) -> list[str]:
    """Inline code."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]


def command_lines(text: str) -> Iterator[list[str]]:
    """Each command of a shell text as words; comments and continued lines resolved."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words
