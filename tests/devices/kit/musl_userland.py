"""A board without the GNU C library: musl, busybox in place of all the usual programs, and a Python built for it.

Python's source is Debian's, so apt checks where it comes from. Building takes a minute or two, once; what comes out is kept.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from devices.transports.emulated.image.sources import mirror
from tests.devices.kit.userland import cached_folder, debian

_TOOLS = {"musl-gcc": "musl-tools", "make": "make", "apt-get": "apt", "mmdebstrap": "mmdebstrap"}
_SOURCES = """Types: deb-src
URIs: {uri}
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
_LEFT_OUT = (
    "_bz2 _crypt _ctypes _hashlib _lzma _ssl _uuid _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr "
    "_codecs_tw _ctypes_test _curses _curses_panel _dbm _decimal _elementtree _gdbm _multibytecodec _sqlite3 "
    "_testbuffer _testcapi _testclinic _testimportmultiple _testinternalcapi _testmultiphase _tkinter _xxtestfuzz "
    "audioop nis ossaudiodev readline spwd xxlimited xxlimited_35"
)
_BUILD = r"""
set -e
cat > cc <<'END'
#!/bin/sh
[ "$1" = --print-multiarch ] && exit 0
# this machine's headers and libraries are of another C library
for word do
  shift
  case "$word" in -I/usr/* | -L/usr/*) ;; *) set -- "$@" "$word" ;; esac
done
exec musl-gcc "$@"
END
chmod +x cc
export CC="$PWD/cc" CFLAGS="-O0 -w -fPIC"
tar xf zlib_*.orig.tar.*; tar xf python3.11_*.orig.tar.*
zlib="$(echo "$PWD"/zlib-*)"
cd "$zlib"; ./configure --static > /dev/null; make -s -j2 libz.a; cd ..
cd Python-3.11*
# what neither pip nor a runtime asks for
printf '*disabled*\n%s\n' "$2" > Modules/Setup.local
./configure -q --prefix=/usr --without-ensurepip --disable-test-modules CPPFLAGS="-I$zlib" LDFLAGS="-L$zlib"
make -s -j2 > build.log 2>&1 || { tail -5 build.log; exit 1; }
library="$1/usr/lib/python3.11"
mkdir -p "$library/lib-dynload"
cp python "$1/usr/bin/python3.11"
cp -r Lib/. "$library"
rm -rf "$library/test" "$library/idlelib" "$library/lib2to3"
find build -name '*.so' -exec cp {} "$library/lib-dynload" ';'
cp "$(cat pybuilddir.txt)"/_sysconfigdata*.py "$library"
ls "$library/lib-dynload"/zlib*.so > /dev/null || { tail -20 build.log; exit 1; }
"""


def musl_root(suite: str) -> Path:
    """The folder that such a board has as its root, with the musl of a Debian release; made if need be."""
    missing = [package for tool, package in _TOOLS.items() if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"needs {' '.join(missing)} (apt-get install)")
    python, root = cached_folder("musl-python-3.11"), cached_folder(f"musl-{suite}")
    with FileLock(f"{python}.lock"):
        if not (root / "board").is_dir():
            debian(root, arch="amd64", packages="busybox-static,musl", suite=suite)
            for name in ("bin", "lib"):
                if not (root / name).exists():  # where everything is in /usr, scripts make the links
                    (root / name).symlink_to(f"usr/{name}")
            for name in ("usr/bin", "proc", "dev", "tmp"):
                (root / name).mkdir(parents=True, exist_ok=True)
            subprocess.run(["chroot", root, "/bin/busybox", "--install", "-s", "/usr/bin"], check=True)
            for path, target in (("bin/sh", "/bin/busybox"), ("usr/bin/ldd", "/lib/ld-musl-x86_64.so.1")):
                (root / path).unlink(missing_ok=True)
                (root / path).symlink_to(target)
            if not (python / "usr/bin/python3").exists():
                shutil.rmtree(python, ignore_errors=True)
                (python / "usr/bin").mkdir(parents=True)
                _build_python(python, mirror(root / "etc/apt"))  # where the userland's own packages came from
                (python / "usr/bin/python3").symlink_to("python3.11")
            shutil.copytree(python / "usr", root / "usr", symlinks=True, dirs_exist_ok=True)
            (root / "board").mkdir()
    return root


def _build_python(root: Path, archive: str | None) -> None:
    if archive is None:
        pytest.skip("it is not known where Debian's packages come from (EAMDEPLOY_DEBIAN_MIRROR)")
    with tempfile.TemporaryDirectory(prefix="eamdeploy-musl-") as scratch:
        folder = Path(scratch)
        (folder / "lists/partial").mkdir(parents=True)
        (folder / "source.sources").write_text(_SOURCES.format(uri=archive))
        apt = ["apt-get", "-q", "-o", f"Dir::Etc::sourcelist={folder}/source.sources", "-o", "Dir::Etc::sourceparts=-"]
        apt += ["-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}", "-o", "APT::Sandbox::User="]
        for command in ([*apt, "update"], [*apt, "source", "--download-only", "python3.11", "zlib"]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"Python's source could not be fetched: {done.stderr.strip().splitlines()[-1:]}")
        quiet = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MAKE"))}
        done = subprocess.run(
            ["sh", "-c", _BUILD, "sh", root, _LEFT_OUT],
            cwd=folder,
            capture_output=True,
            text=True,
            env=quiet,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
