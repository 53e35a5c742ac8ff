"""The keeper of an environment ends what runs out of it, and nothing that only speaks of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import resources
from pathlib import Path

SLEEP = "import time; time.sleep(300)"


def test_what_only_names_the_folder_goes_on(tmp_path: Path) -> None:
    source = resources.files("devices.setup").joinpath("keeper.py").read_text(encoding="utf-8")
    command = [sys.executable, "-I", "-c", source, str(tmp_path), "60"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as keeper:
        assert keeper.stdout is not None
        building = json.loads(keeper.stdout.readline().partition(b"@eamdeploy ")[2])
        folder = Path(building["python"]).parents[1]
        reader = subprocess.Popen([sys.executable, "-c", SLEEP, str(folder / "pyvenv.cfg")])
        started = [
            subprocess.Popen([building["python"], "-c", SLEEP]),
            subprocess.Popen([sys.executable, "-c", SLEEP], env={**os.environ, "TMPDIR": building["scratch"]}),
        ]
        keeper.communicate(timeout=60)  # its input ends without the word: the environment is given up
    try:
        assert not folder.exists()
        assert [process.wait(60) for process in started] == [-signal.SIGKILL] * 2
        assert reader.poll() is None
    finally:
        for process in (reader, *started):
            process.kill()
            process.wait()
