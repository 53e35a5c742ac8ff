"""Every command as a user sees it, at 60, 80 and 120 columns and in a pipe: no word is broken, no line is too long."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from benchmarks.recordings.terminal import COMMANDS, WIDTHS, Recording, run, set_up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]
_MEANT_TO_FAIL = {"export nothing-like-this --out again": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    recordings_folder = tmp_path_factory.mktemp("recordings")
    return recordings_folder, set_up(recordings_folder)


def words_of(recording: Recording) -> set[str]:
    """Its words of letters; parts of a name that was elided are not words."""
    text = re.sub(r"\S*…\S*", " ", "\n".join(recording.lines))
    return {word for word in re.split(r"[\s/:;,.()'\"=\[\]–-]+", text) if re.fullmatch(r"[A-Za-z]{4,}", word)}


def too_long(recording: Recording) -> list[str]:
    """Lines beyond the width that could have been broken between words: a path alone may be longer."""
    assert recording.width is not None
    return [
        line for line in recording.lines
        if cell_len(line) > recording.width and len(line.split()) > 1 and max(map(len, line.split())) < recording.width - 12
    ]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_no_word_is_broken_at_any_width(command: str, folder: tuple[Path, dict[str, str]]) -> None:
    where, environment = folder
    piped = run(command.split(), where, None, environment)
    # a busy machine's times are measured and called invalid; what such runs lack is not judged
    assert piped.code == _MEANT_TO_FAIL.get(command, piped.code if piped.code in (0, 5, 7) else 0), piped.text
    assert "\x1b" not in piped.text
    assert "Traceback" not in piped.text
    # a table says that it has more, and what "…" stands for; a training that was finished before says so
    known_words = words_of(piped) | {"shown", "wide", "shows", "stands", "epoch", "continues", "data"}
    for width in WIDTHS:
        recording = run(command.split(), where, width, environment)
        assert too_long(recording) == [], width
        bars = {"verifying", "evaluating", "auditing", "board", "doing", "planning", "host", "reading", "loss"}
        assert {word for word in words_of(recording) if word.lower() not in bars} - known_words - _varying(
            recording
        ) == set(), width


def _varying(recording: Recording) -> set[str]:
    """What a measurement says of itself, which differs from one to the next: verdicts and their reasons."""
    lines = [line for line in recording.lines if re.match(r"(suspect|invalid|clean|note|warning)\b", line)]
    # a measurement and the doctor tell how busy the machine is just now
    shown_lines = recording.lines if recording.command.startswith(("bench", "devices check")) else lines
    reasons = " ".join(shown_lines)
    return set(re.findall(r"[A-Za-z]{4,}", reasons))


def test_a_broken_word_and_a_long_line_would_be_seen() -> None:
    whole = Recording("x", None, 0, "the interval of the median\n")
    assert words_of(Recording("x", 20, 0, "the inter\nval of the median\n")) - words_of(whole) == {"inter"}
    assert too_long(Recording("x", 20, 0, "one two three four five six\n"))
    assert not too_long(Recording("x", 20, 0, "/a/path/that/is/longer/than/a/line\n"))
