"""Files are written whole or not at all, and nothing that is no file is replaced by one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from eamdeploy.base.errors import UsageError
from eamdeploy.base.files import atomic_path, atomic_write_text, ordinary, remove_unfinished


def test_a_device_or_a_pipe_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    for name in ("pipe", "link"):
        before = (tmp_path / name).stat()
        with pytest.raises(UsageError, match=f"cannot write the file .*{name}.*: it is there and is not a file"):
            atomic_write_text(tmp_path / name, "text")
        after = (tmp_path / name).stat()
        assert (before.st_mode, before.st_ino) == (after.st_mode, after.st_ino)
    assert (tmp_path / "link").is_symlink()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]


def test_what_was_begun_is_removed_where_nothing_unwinds(tmp_path: Path) -> None:
    begun = atomic_path(tmp_path / "net.param", companions=(".bin",))
    temporary = begun.__enter__()
    temporary.write_text("half")
    temporary.with_suffix(".bin").write_text("half")
    remove_unfinished()
    assert list(tmp_path.iterdir()) == []
    assert not begun.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    atomic_write_text(tmp_path / "whole", "text")
    remove_unfinished()
    assert (tmp_path / "whole").read_text() == "text"


def test_only_an_ordinary_file_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is not a file"):
        ordinary(tmp_path / "pipe")
    assert ordinary(tmp_path / "missing") == tmp_path / "missing"
    assert ordinary(str(tmp_path)) == tmp_path


def test_an_error_is_one_line() -> None:
    error = UsageError("no board is called 'a\n::error::b'", where="x\ny", why="z\r\n\x1b[2J", hint="\u202ew")
    assert str(error).isprintable()
    assert "\n" not in str(error)
