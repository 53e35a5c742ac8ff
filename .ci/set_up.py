"""Makes .venv/ from pyproject.toml through uv; called by the Makefile, needs the standard library alone.

uv resolves and installs everything in seconds where pip takes minutes, but it reads none of pip's settings. Whoever set
up pip for a mirror, a folder of wheels or a certificate expects them to count, so they are passed on.

On a machine without an NVIDIA GPU PyTorch's CPU build is taken wherever one can be had: from pip's own settings, or from
an index named in TORCH_INDEX.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / ".ci" / "constraints.txt"
# one layer of timm is compared with in the tests; its dependency torchvision is not wanted
ALONE = ("timm>=1.0,<2",)
# pip's setting to uv's option; those that may hold several values are split at blanks
OPTIONS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
    "constraint": "--constraint",
}


def main() -> int:
    """Make or renew the environment named on the command line."""
    if sys.version_info < (3, 11):
        return _stop("eamdeploy needs Python 3.11 or newer; name one with: make PYTHON=python3.11")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".venv")
    if not (folder / "bin" / "python").exists():
        venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    _run([python, "-m", "pip", "install", "--quiet", "--upgrade", "uv"], "uv, the installer, could not be had")
    options, environment = uv_settings(pip_settings(python))
    torch_index = os.environ.get("TORCH_INDEX")
    if torch_index:
        options += ["--index", torch_index, "--index-strategy", "unsafe-best-match"]
    uv = [str(folder / "bin" / "uv"), "pip", "install", "--quiet", "--python", python, *options]
    if CONSTRAINTS.exists():
        uv += ["--constraint", str(CONSTRAINTS)]
    _warn_of_cuda([*uv, "--dry-run"], environment)
    group = f"{ROOT / 'pyproject.toml'}:dev"
    _run([*uv, "--editable", f"{ROOT}[all]", "--group", group], "the packages could not be installed", environment)
    _run([*uv, "--no-deps", *ALONE], "timm could not be installed", environment)
    return 0


def pip_settings(python: str) -> dict[str, list[str]]:
    """What pip would use, from its files and the environment: name to values."""
    done = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    settings: dict[str, list[str]] = {}
    # later lines win, as pip's environment variables win over its files
    for scope, name, value in re.findall(r"^(global|install|:env:)\.([\w-]+)='(.*)'$", done.stdout, re.MULTILINE):
        del scope
        settings[name.replace("_", "-")] = [part for part in re.split(r"(?:\\n|\s)+", value) if part]
    return settings


def uv_settings(pip: dict[str, list[str]]) -> tuple[list[str], dict[str, str]]:
    """The options and the environment that mean the same to uv."""
    options: list[str] = []
    for name, option in OPTIONS.items():
        for value in pip.get(name, []):
            # pip passes over local folders that are not there; uv would stop
            local = unquote(urlsplit(value).path) if value.startswith("file:") else value
            remote = value.startswith(("http:", "https:")) or option == "--allow-insecure-host"
            if remote or Path(local).exists():
                options += [option, value]
    if "--index" in options:
        # pip takes the newest version of all its indexes
        options += ["--index-strategy", "unsafe-best-match"]
    if pip.get("no-index", ["false"])[-1].lower() in ("true", "1", "yes"):
        options.append("--no-index")
    environment = dict(os.environ)
    for name, variable in (("cert", "SSL_CERT_FILE"), ("proxy", "ALL_PROXY"), ("default-timeout", "UV_HTTP_TIMEOUT")):
        if pip.get(name):
            environment.setdefault(variable, pip[name][-1])
    return options, environment


def _warn_of_cuda(uv: list[str], environment: dict[str, str]) -> None:
    """Say once what is downloaded where only a CUDA build can be had and no GPU is there to use it."""
    if shutil.which("nvidia-smi") or sys.platform != "linux":
        return
    quiet = [word for word in uv if word != "--quiet"]
    done = subprocess.run([*quiet, f"{ROOT}[train]"], capture_output=True, text=True, check=False, env=environment)
    match = re.search(r"\+ torch==(\S+)", done.stderr)
    if match and "nvidia" in done.stderr:
        print(
            f"PyTorch {match[1]} comes with CUDA libraries here, about 3 GB, and this machine has no NVIDIA GPU.\n"
            "To take the CPU build instead, stop and run: make setup TORCH_INDEX=<the index of PyTorch's CPU builds>",
            flush=True,
        )


def _run(command: list[str], failed: str, environment: dict[str, str] | None = None) -> None:
    if subprocess.run(command, check=False, env=environment).returncode:
        sys.exit(_stop(f"{failed}; the message above says why"))


def _stop(message: str) -> int:
    print(f"set-up: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
