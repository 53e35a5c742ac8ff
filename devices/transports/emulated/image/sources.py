"""Where Debian packages come from: the host's own apt sources, so that mirrors and proxies set there hold here too."""

from __future__ import annotations

import os
import re
from pathlib import Path

from eamdeploy.base.processes import run, tool

_APT = Path("/etc/apt")
_REFUSED = re.compile(
    r"IndexTargets|Allow(Insecure|Weak|Downgrade|Unauthenticated)|Hooks|::Pre-|::Post-", re.IGNORECASE
)
_SIGNED_ONLY = (
    'Acquire::AllowInsecureRepositories "false";',
    'Acquire::AllowWeakRepositories "false";',
    'Acquire::AllowDowngradeToInsecureRepositories "false";',
    'APT::Get::AllowUnauthenticated "false";',
)
_DEBIAN_SUITES = ("bullseye", "bookworm", "trixie", "forky", "stable", "testing", "unstable", "sid")


def mirror(apt_folder: Path = _APT) -> str | None:
    """The URI of the first Debian archive among the host's sources; None leaves it to mmdebstrap's own default.

    ``EAMDEPLOY_DEBIAN_MIRROR`` takes precedence.
    """
    mirror_address = os.environ.get("EAMDEPLOY_DEBIAN_MIRROR")
    if mirror_address:
        return mirror_address
    folder = apt_folder / "sources.list.d"
    for path in sorted(folder.glob("*.sources")):
        for stanza in path.read_text(errors="replace").split("\n\n"):
            fields = dict(_field(line) for line in stanza.splitlines() if ":" in line and not line.startswith("#"))
            if _is_debian(fields.get("suites", "").split()) and "deb" in fields.get("types", "").split():
                return fields.get("uris", "").split()[0]
    for path in [apt_folder / "sources.list", *sorted(folder.glob("*.list"))]:
        for line in path.read_text(errors="replace").splitlines() if path.is_file() else []:
            words = line.split("]", 1)[-1].split() if "[" in line else line.split()[1:]
            if line.startswith("deb ") and len(words) > 1 and _is_debian(words[1:2]):
                return words[0]
    return None


def apt_options() -> str:
    """The host's settings for fetching (proxies, certificates, date checks) as an apt.conf text."""
    command = tool("apt-config", "dump", "Acquire")
    if command is None:
        return ""
    settings_text = run(command).stdout.decode(errors="replace")
    # other lists than Packages are not wanted, hooks of the host have no business here, and unsigned archives none at all
    setting_lines = [line for line in settings_text.splitlines() if "::" in line and not _REFUSED.search(line)]
    return "\n".join([*setting_lines, *_SIGNED_ONLY]) + "\n"


def _is_debian(suites: list[str]) -> bool:
    return any(suite.split("-")[0] in _DEBIAN_SUITES for suite in suites)


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()
