"""Readability of the documentation and of the help: ``python .ci/prose.py``; exit 1 for a page that is too hard to read.

The limits are the Flesch-Kincaid grade of a page (years of school) and the
words of a sentence. Code, tables and headings are not prose and are not counted; a name in code counts as one short word.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_GRADE = 8.0
MOST_WORDS = 36
_FEWEST_WORDS = 60  # of less prose a grade says nothing
ROOT = Path(__file__).parents[1]
# generated from measurements or from the code, and the history of decisions and changes
_NOT_PROSE = ("docs/latency-model.md", "docs/reference/reference.md", "docs/adr", "docs/reference/glossary.md")


@dataclass(frozen=True)
class Reading:
    """A page's grade and its longest sentence."""

    name: str
    grade: float
    words: int
    longest: str

    @property
    def problems(self) -> list[str]:
        """What is beyond a limit, in words."""
        problems = []
        if self.words >= _FEWEST_WORDS and self.grade > MOST_GRADE:
            problems.append(f"{self.name}: grade {self.grade:.1f}, at most {MOST_GRADE:g}: shorten sentences and words")
        if (count := len(self.longest.split())) > MOST_WORDS:
            problems.append(f"{self.name}: a sentence of {count} words, at most {MOST_WORDS}: {self.longest}")
        return problems


def prose_of(markdown: str) -> str:
    """The sentences of a page: without code, tables, headings, figures and addresses."""
    text = re.sub(r"^ *```.*?^ *```$", "\n", markdown, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^(?: {4}|\||#|!\[|<|---).*$", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"`[^`]+`", "name", text)
    return re.sub(r"^ *(?:[*-]|\d+\.) +", "\n\n", text, flags=re.MULTILINE).replace("*", "")


def sentences_of(text: str) -> Iterator[str]:
    """Sentences; a colon, a semicolon and the end of a paragraph end one too."""
    for paragraph in re.split(r"\n\s*\n", text):
        for sentence in re.split(r"(?<=[.!?:;])\s+", " ".join(paragraph.split())):
            if re.search(r"[A-Za-z]{2}", sentence):
                yield sentence


def read(name: str, text: str) -> Reading:
    """Grade and longest sentence of a text."""
    import readability

    sentences = list(sentences_of(text))
    if not sentences:
        return Reading(name, 0.0, 0, "")
    tokens = "\n".join(" ".join(re.findall(r"[A-Za-z][A-Za-z'-]*|[.!?]", sentence)) for sentence in sentences)
    grades = readability.getmeasures(tokens, lang="en")["readability grades"]
    words = sum(len(sentence.split()) for sentence in sentences)
    return Reading(name, float(grades["Kincaid"]), words, max(sentences, key=lambda sentence: len(sentence.split())))


def readings() -> Iterator[Reading]:
    """Every page, and the help of all commands together."""
    for page in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]):
        name = page.relative_to(ROOT).as_posix()
        if not name.startswith(_NOT_PROSE):
            yield read(name, prose_of(page.read_text("utf-8")))
    import typer

    from eamdeploy.cli.app import build_app
    from eamdeploy.cli.reference import commands

    texts = []
    for _, command in commands(typer.main.get_command(build_app())):
        texts += [command.help or "", *(option.help or "" for option in command.params)]
    yield read("help of the commands", prose_of("\n\n".join(texts)))


def main() -> None:
    """Print what is beyond the limits; with ``--all`` every page's grade too."""
    page_readings = list(readings())
    if "--all" in sys.argv:
        for reading in sorted(page_readings, key=lambda each: -each.grade):
            print(f"{reading.grade:5.1f}  {reading.words:5}  {len(reading.longest.split()):3}  {reading.name}")
    problems = [problem for reading in page_readings for problem in reading.problems]
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
