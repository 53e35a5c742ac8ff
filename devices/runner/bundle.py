"""Pack the runner into the one file that is pushed to a board (host side)."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import marshal
import zipfile
from functools import lru_cache
from pathlib import Path

NAME = "eam_runner.pyz"
_MAIN_NAME = "__main__.py"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same modules give the same bytes
# nothing here that an old Python could trip over before it can say that it is old
_MAIN = """import sys
if sys.version_info < (3, 9):
    sys.exit("eamdeploy needs Python 3.9 or later on the board; this is %d.%d" % sys.version_info[:2])
if sys.prefix == sys.base_prefix:  # isolated, yet what pip installed for this user counts, after everything else
    import site
    site.addsitedir(site.getusersitepackages())
from devices.runner.__main__ import main
sys.exit(main())
"""
# the packages' own __init__ may do more than a board can
_SENSORS = ("devices.runner.sensors", "devices.runner.sensors.access")
_EMPTY = ("eamdeploy/__init__.py", "eamdeploy/base/__init__.py", "devices/__init__.py")


@lru_cache(maxsize=1)
def bundle() -> bytes:
    """The runner as a zip that ``python3 FILE`` runs; the same modules give the same bytes.

    Beside each module lies its byte code for this machine's version of Python: a board with the same version starts
    sooner, any other reads past it.
    """
    files = _sources()
    files |= {f"{name}c": _byte_code(name, source) for name, source in files.items() if name != _MAIN_NAME}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), files[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@lru_cache(maxsize=1)
def bundle_sha256() -> str:
    """Hash of the bundle's sources: which code measured, whatever Python packed it."""
    digest = hashlib.sha256()
    for name, source in sorted(_sources().items()):
        digest.update(f"{name} {len(source)}\n".encode() + source)
    return digest.hexdigest()


def sensor_modules() -> dict[str, str]:
    """Name and source of the sensors' modules, for whoever reads them without the rest of the runner."""
    modules = dict.fromkeys(("devices", "devices.runner"), "")
    for package in _SENSORS:
        for path in sorted(_folder(package).glob("*.py")):
            name = package + ("" if path.stem == "__init__" else f".{path.stem}")
            modules[name] = path.read_text(encoding="utf-8")
    return modules


def _sources() -> dict[str, bytes]:
    files = {_MAIN_NAME: _MAIN.encode(), **dict.fromkeys(_EMPTY, b"")}
    files["eamdeploy/base/errors.py"] = _source("eamdeploy.base", "errors.py")
    for package in ("runtimes", "runtimes.readers", "runtimes.support", "devices.runner", *_SENSORS):
        folder = _folder(package)
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith(("torch_", "bundle")):  # the host's own
                files[f"{package.replace('.', '/')}/{path.name}"] = path.read_bytes()
    return files


def _byte_code(name: str, source: bytes) -> bytes:
    # PEP 552's layout, "unchecked": the source beside it need not be compared
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + importlib.util.source_hash(source)
    return head + marshal.dumps(compile(source, name, "exec", dont_inherit=True))


def _folder(package: str) -> Path:
    file = importlib.import_module(package).__file__
    if file is None:
        raise FileNotFoundError(package)
    return Path(file).parent


def _source(package: str, name: str) -> bytes:
    return (_folder(package) / name).read_bytes()
