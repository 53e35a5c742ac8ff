"""Measures what ``make demo`` exported and writes the table into the README: ``python -m benchmarks.recordings.demo [out/demo]``.

``--draw`` writes the table again from demo.json, which the last measurement left. Run it after ``make demo``. Where Chromium
is installed, it also takes the picture of the report.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from eamdeploy.base.results import Run
from eamdeploy.cli.views.bench import runs_table
from eamdeploy.runs.store.files import read_runs

ROOT = Path(__file__).parents[2]
RUNS = Path(__file__).with_name("demo.json")
README = ROOT / "README.md"
FIGURE = ROOT / "docs" / "images" / "report.png"
WIDTH = 80
PICTURE = (1280, 1300)  # of the window; the picture is drawn smaller
PICTURE_WIDTH = 960
_TABLE = re.compile(r"^artifact +device .*?(?=^\n)", re.MULTILINE | re.DOTALL)


def table(runs: list[Run]) -> str:
    """The runs as ``bench`` shows them in a terminal of 80 columns."""
    text = io.StringIO()
    Console(file=text, width=WIDTH, color_system=None, highlight=False).print(runs_table(runs))
    return text.getvalue()


def shown(readme: str) -> str:
    """The table that a README shows."""
    match = _TABLE.search(readme)
    if match is None:
        raise ValueError("the README has no table of the demo")
    return match[0]


def measure(folder: Path) -> None:
    """Measure the four files in turns, with accuracy, into demo.json."""
    import eamdeploy
    from eamdeploy.measurement.request import Effort
    from eamdeploy.runs.gate.run import write_baseline
    from eamdeploy.runs.store import open_store

    name = "fashion-mnist-v1x0.25-eam-rcr"
    files = [folder / f"{name}{ending}" for ending in (".onnx", ".tflite", "-int8.onnx", "-int8.tflite")]
    store = folder / "readme.db"
    report = eamdeploy.bench(files, accuracy=True, effort=Effort(runs=400), store=store)
    write_baseline(open_store(store), RUNS, [run.id for run in report.runs])
    page = folder / "readme.html"
    eamdeploy.report(page, title="Fashion-MNIST on this machine", store=store, limit=len(files))
    take_picture(page)


def take_picture(page: Path) -> None:
    """The top of the page, as Chromium shows it, in few colours."""
    from PIL import Image

    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.png"
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
        ]
        size = ",".join(map(str, PICTURE))
        command += [f"--screenshot={file}", f"--window-size={size}", page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=180)
        picture = Image.open(file).convert("RGB")
        small = picture.resize(
            (PICTURE_WIDTH, picture.height * PICTURE_WIDTH // picture.width), Image.Resampling.LANCZOS
        )
        small.quantize(256, method=Image.Quantize.FASTOCTREE).save(FIGURE, optimize=True)


def main() -> None:
    """Measure, unless ``--draw`` says not to, and write the table."""
    if "--draw" not in sys.argv:
        words = [word for word in sys.argv[1:] if not word.startswith("-")]
        measure(Path(words[0] if words else "out/demo"))
    text = README.read_text("utf-8")
    README.write_text(text.replace(shown(text), table(read_runs(RUNS))), "utf-8")


if __name__ == "__main__":
    main()
