"""Headless Chromium on a report's file: what it logs, what it requests, what the page is after a script of the test."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions",
    "--disable-features=NetworkTimeServiceQuerying,OptimizationHints", "--host-resolver-rules=MAP * ~NOTFOUND",
    "--enable-logging=stderr", "--v=0", "--virtual-time-budget=20000",
)  # fmt: skip
_RESULT = re.compile(r'<pre id="test-result">(.*?)</pre>', re.DOTALL)


@dataclass(frozen=True)
class Visit:
    """What happened: console messages, requested addresses, and what the test's script answered."""

    console: list[str]
    requests: list[str]
    answer: Any


@pytest.fixture
def visit(tmp_path: Path) -> Callable[..., Visit]:
    """``visit(html, script)``: open a page and run ``script``, an async function's body, in it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip("Chromium is not installed (Debian's package chromium)")

    def run(html: str, script: str = "", *, size: str = "1280,1200") -> Visit:
        page, log = tmp_path / "page.html", tmp_path / "net.json"
        if script:
            # the page's own policy allows no script but its own: the test's copy goes without it
            html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
            answer = f"(async () => {{ {script} }})().catch((error) => ({{failed: String(error)}}))"
            html += (
                f"<script>{answer}.then((value) => {{ const node = document.createElement('pre');"
                "node.id = 'test-result'; node.textContent = JSON.stringify(value); document.body.append(node); })</script>"
            )
        page.write_text(html, "utf-8")
        profile = tmp_path / "profile"
        command = [browser, *_FLAGS, f"--user-data-dir={profile}", f"--log-net-log={log}", f"--window-size={size}"]
        done = subprocess.run(
            [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=180, check=True
        )
        shutil.rmtree(profile, ignore_errors=True)
        match = _RESULT.search(done.stdout)
        assert bool(match) == bool(script), "the test's script did not answer"
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return Visit(console, _requests(log), json.loads(_unescape(match.group(1))) if match else None)

    return run


def _requests(log: Path) -> list[str]:
    """What pages asked for: the browser's own requests (updates, the time) have no origin."""
    events = [event.get("params", {}) for event in json.loads(log.read_text("utf-8", "replace"))["events"]]
    urls = {event.get("url", "") for event in events if event.get("initiator", "not an origin") != "not an origin"}
    return sorted(url for url in urls if not url.startswith(("file:", "data:")))


def _unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
