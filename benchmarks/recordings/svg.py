"""A recording of real commands as one SVG that plays in a page: each line appears when it was printed, waits shortened."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.recordings.terminal import NET, Recording, run

FIGURE = Path(__file__).parents[2] / "docs" / "images" / "terminal.svg"
SHOWN = (
    f"export {NET} --format onnx --out build",
    f"evaluate build/{NET}.onnx",
    f"predict build/{NET}.onnx images/coat/0.png --top 2",
    f"estimate build/{NET}.onnx --all-devices",
)
_WIDTH = 104
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_WAIT = 1.2  # seconds; what the machine computed for longer is not worth watching
_TYPING, _BREATH, _END = 1.0, 0.6, 5.0


def record(commands: Sequence[str], folder: Path, environment: Mapping[str, str]) -> list[Recording]:
    """Run the commands one after the other in a terminal."""
    recordings = [run(command.split(), folder, _WIDTH, environment) for command in commands]
    if bad := [each.command for each in recordings if each.code not in (0, 5)]:
        raise RuntimeError(f"failed: {bad[0]}")
    return recordings


def timed_lines(recording: Recording) -> list[tuple[float, str]]:
    """The lines that stay on the screen, with colours, each with the second at which it was complete."""
    lines: list[tuple[float, str]] = []
    text = ""
    for when, part in recording.parts:
        text += part
        while "\n" in text:
            line, _, text = text.partition("\n")
            lines.append((when, line.rstrip("\r")))
    return [(when, line) for when, line in map(_left, lines) if line is not None]


def _left(drawn: tuple[float, str]) -> tuple[float, str | None]:
    """What of a line stays on the screen: a bar moves the cursor, and what follows its last move stays, if anything does."""
    when, line = drawn
    if "\x1b[" not in _COLOURS.sub("", line) and "\r" not in line:
        return when, line
    rest = re.split(r"\r|\x1b\[[0-9;?]*[A-HJKhl]", line)[-1]
    return when, rest if _COLOURS.sub("", rest).strip() else None


def render(recordings: Sequence[Recording]) -> str:
    """The SVG; it repeats."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, highlight=False)
    at: list[float] = []
    clock = 0.3
    for recording in recordings:
        console.print(Text.assemble(("$ ", "bold green"), ("eamdeploy " + recording.command, "bold")))
        at.append(clock)
        clock += _TYPING
        before = 0.0
        for when, line in timed_lines(recording):
            clock += min(when - before, _LONGEST_WAIT)
            before = when
            line_text = Text.from_ansi(line)
            at.extend([clock] * max(1, -(-len(line_text.plain) // _WIDTH)))
            console.print(line_text, soft_wrap=False, overflow="fold")
        clock += _BREATH
    whole = clock + _END
    svg = console.export_svg(title="eamdeploy", unique_id="recording")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # no font from elsewhere
    rules = [
        f"@keyframes line-{number} {{ 0%, {100 * when / whole:.2f}% {{ opacity: 0 }} "
        f"{min(100.0, 100 * when / whole + 0.01):.2f}%, 100% {{ opacity: 1 }} }}"
        f" .line-{number} {{ animation: line-{number} {whole:.1f}s infinite }}"
        for number, when in enumerate(at)
    ]
    svg = re.sub(
        r'clip-path="url\(#recording-line-(\d+)\)"', r'class="line-\1" clip-path="url(#recording-line-\1)"', svg
    )
    svg = re.sub(r'class="([^"]+)"([^>]*?) class="(line-\d+)"', r'class="\1 \3"\2', svg)
    still = "@media (prefers-reduced-motion: reduce) { text { animation: none !important } }"
    return svg.replace("</style>", "\n".join([*rules, still]) + "</style>", 1)
