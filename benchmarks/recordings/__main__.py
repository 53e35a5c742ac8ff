"""Text captures of every command in terminals of 60, 80 and 120 columns and in a pipe; ``--svg``: the README's recording.

python -m benchmarks.recordings OUT          OUT/60.txt, OUT/80.txt, OUT/120.txt, OUT/piped.txt
python -m benchmarks.recordings OUT --svg    docs/images/terminal.svg
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.recordings.svg import FIGURE, SHOWN, record, render
from benchmarks.recordings.terminal import COMMANDS, WIDTHS, environment_of, make_images, run, set_up


def main() -> None:
    """Record into the folder that is named."""
    out = Path(next((word for word in sys.argv[1:] if not word.startswith("-")), "out/recordings"))
    work = (out / "work").resolve()
    work.mkdir(parents=True, exist_ok=True)
    if "--svg" in sys.argv:
        make_images(work / "images")
        FIGURE.write_text(render(record(SHOWN, work, environment_of(work))), "utf-8")
        return
    environment = set_up(work)
    for width in (*WIDTHS, None):
        parts = []
        for command in COMMANDS:
            recording = run(command.split(), work, width, environment)
            parts.append("\n".join([f"$ eamdeploy {command}", *recording.lines, f"[exit {recording.code}]", ""]))
        (out / f"{width or 'piped'}.txt").write_text("\n".join(parts), "utf-8")


if __name__ == "__main__":
    main()
