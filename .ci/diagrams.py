"""A hook of mkdocs: puts mermaid, which draws the diagrams, into the site, so that a page loads no script from elsewhere.

The script comes from npm and is kept in the user's cache folder. Where npm is missing or cannot reach its registry, the site
is built without it; the theme then loads mermaid from the internet when a reader opens a page with a diagram.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

PACKAGE = "mermaid@11.12.0"
SHA256 = "07e37dfa97b337ccc85365d57eddf99b9706f09db3b59b260d0333b23b343c4b"
TARGET = "assets/mermaid.min.js"
_MEMBER = "package/dist/mermaid.min.js"
_log = logging.getLogger("mkdocs.hooks.diagrams")


def cached() -> Path:
    """Where the script is kept between builds."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "eamdeploy-docs" / f"{PACKAGE}.min.js"


def fetch() -> Path | None:
    """The script, from the cache or from npm; ``None`` where it cannot be had."""
    path = cached()
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == SHA256:
        return path
    npm = shutil.which("npm")
    if npm is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", PACKAGE, "--silent"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode != 0 or not archives:
            return None
        with tarfile.open(archives[0]) as archive:
            member = archive.extractfile(_MEMBER)
            content = member.read() if member else b""
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise RuntimeError(f"{PACKAGE} is not the file that was reviewed: its SHA-256 differs")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# a build has many pages, and a registry that cannot be reached is not asked for each of them
_script = functools.cache(fetch)


def on_post_page(output: str, *, page: Any, config: Any) -> str:
    """Load the script on pages that have a diagram; the theme uses it where it is there."""
    del config
    if 'class="mermaid"' not in output or _script() is None:
        return output
    depth = page.url.strip("/").count("/") + 1 if page.url.strip("/") else 0
    return output.replace("</head>", f'<script src="{"../" * depth}{TARGET}"></script></head>', 1)


def on_post_build(*, config: Any) -> None:
    """Copy the script into the site."""
    script = _script()
    if script is None:
        _log.info("npm cannot fetch %s: diagrams need the internet when they are read", PACKAGE)
        return
    target = Path(config["site_dir"]) / TARGET
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(script, target)
