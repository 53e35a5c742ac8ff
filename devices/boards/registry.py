"""The user's own boards, in one file that people may edit too."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, cast

from devices.boards.profiles import load_profile
from devices.transports.ssh.target import SshTarget
from eamdeploy.base.decoding import convert, read_limited
from eamdeploy.base.errors import UsageError, did_you_mean
from eamdeploy.base.files import atomic_write_text, private_folder
from eamdeploy.base.values import Name

EMULATED_HOST = "emulated"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEADER = "# The boards that eamdeploy knows; written by `eamdeploy devices add`, may be edited.\n"
_LOCK_WAIT_S = 10
_LIMIT_BYTES = 1 << 20
_UNREADABLE = "the file of boards cannot be read"


@dataclass(frozen=True)
class Board:
    """A board of the user's.

    Attributes:
        name: what ``--board`` takes.
        profile: what kind of board it is.
        host: ``user@host:port`` or an alias of the SSH configuration; ``emulated`` for an emulated one.
        identity: private key file; None leaves it to the agent and the SSH configuration.
        jump: ``user@host:port`` to go through.
        host_key: the only host key accepted, ``ssh-ed25519 AAAA…``; None leaves it to the user's known_hosts.
        python: the Python to use on the board; None is its ``python3``.
    """

    name: str
    profile: str
    host: str
    identity: str | None = None
    jump: str | None = None
    host_key: str | None = None
    python: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise UsageError(f"'{self.name}' cannot be a board's name", hint="use letters, digits, '.', '_' and '-'")
        load_profile(self.profile)
        if not self.emulated:
            SshTarget.parse(self.host)

    @property
    def emulated(self) -> bool:
        """Whether it is an emulated board."""
        return self.host == EMULATED_HOST

    @property
    def target(self) -> SshTarget:
        """Where it is."""
        identity = Path(self.identity).expanduser() if self.identity else None
        return replace(SshTarget.parse(self.host), identity=identity, jump=self.jump, host_key=self.host_key)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass
class _BoardEntry:
    profile: Name
    host: Name
    identity: Name | None = None
    jump: Name | None = None
    host_key: Name | None = None
    python: Name | None = None


@dataclass
class _BoardsFile:
    boards: dict[str, dict[str, Any]] = field(default_factory=dict)


class BoardRegistry:
    """The file of boards; every change is written at once, and two processes may change it at a time."""

    def __init__(self, path: Path | None = None) -> None:
        """Use ``path``, else ``EAMDEPLOY_BOARDS``, else ``boards.toml`` in the user's configuration folder."""
        self.path = path or boards_file()

    def boards(self) -> tuple[Board, ...]:
        """All boards, by name.

        Raises:
            UsageError: the file cannot be understood; the message says which entry.
        """
        try:
            if not self.path.exists():
                return ()
            document = tomllib.loads(read_limited(self.path, _LIMIT_BYTES, what=_UNREADABLE).decode("utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
            raise UsageError(_UNREADABLE, where=self.path, why=error) from error
        what, hint = "the file of boards is not as expected", "one [boards.NAME] each"
        file = convert(_BoardsFile, document, where=self.path, what=what, hint=hint)
        if set(document) - {"boards"}:
            raise UsageError(what, where=self.path, hint=hint)
        return tuple(self._board(name, entry) for name, entry in sorted(file.boards.items()))

    def get(self, name: str) -> Board:
        """The board called ``name``.

        Raises:
            UsageError: there is none.
        """
        boards = {board.name: board for board in self.boards()}
        if name not in boards:
            hint = did_you_mean(name, boards) if boards else "add it with: eamdeploy devices add"
            raise UsageError(f"no board is called '{name}'", where=self.path, hint=hint)
        return boards[name]

    def check_free(self, name: str) -> None:
        """Raise `UsageError` when a board is already called so."""
        if any(board.name == name for board in self.boards()):
            hint = f"remove it first (eamdeploy devices remove {name}), or choose another name"
            raise UsageError(f"a board is already called '{name}'", where=self.path, hint=hint)

    def add(self, board: Board, *, replace_existing: bool = False) -> None:
        """Keep a board.

        Raises:
            UsageError: the name is taken.
        """
        with self._locked():
            if not replace_existing:
                self.check_free(board.name)
            self._write({entry.name: entry for entry in (*self.boards(), board)})

    def remove(self, name: str) -> Board:
        """Forget a board and return what it was.

        Raises:
            UsageError: there is none of this name.
        """
        with self._locked():
            removed = self.get(name)
            self._write({board.name: board for board in self.boards() if board.name != name})
        return removed

    def _board(self, name: str, entry: Mapping[str, Any]) -> Board:
        field_names = {item.name for item in fields(_BoardEntry)}
        for key in entry:
            if key not in field_names:
                raise UsageError(
                    f"'{key}' is unknown", where=f"{self.path}, boards.{name}", hint=did_you_mean(key, field_names)
                )
        where, what = f"{self.path}, boards.{name}", "a board's entry cannot be used"
        decoded = convert(_BoardEntry, entry, where=where, what=what)
        try:
            return Board(name=name, **asdict(decoded))
        except UsageError as error:
            sentence = f"{error.what} ({error.where})" if error.where else error.what
            raise UsageError(sentence, where=where, why=error.why, hint=error.hint) from error

    def _write(self, boards: dict[str, Board]) -> None:
        import tomlkit

        text = self.path.read_text(encoding="utf-8-sig") if self.path.exists() else _HEADER
        document = tomlkit.parse(text)
        if "boards" not in document:
            document["boards"] = tomlkit.table(is_super_table=True)
        entries = cast("dict[str, Any]", document["boards"])
        for name in set(entries) - set(boards):
            del entries[name]
        for name, board in sorted(boards.items()):
            if name not in entries:
                entries[name] = tomlkit.table()
            for key, value in board.to_dict().items():
                if key != "name" and value is not None and entries[name].get(key) != value:
                    entries[name][key] = value
                elif value is None:
                    entries[name].pop(key, None)
        # tomlkit keeps what people wrote around the entries: comments, order, blank lines; and a link, as those make who
        # keep their settings in a repository, stays one
        atomic_write_text(self.path.resolve(), tomlkit.dumps(document), private=True)

    def _locked(self) -> Any:
        import filelock

        private_folder(self.path.parent)
        return filelock.FileLock(self.path.with_suffix(".lock"), timeout=_LOCK_WAIT_S)


def boards_file() -> Path:
    """``EAMDEPLOY_BOARDS``, else ``boards.toml`` in the user's configuration folder."""
    import platformdirs

    file_name = os.environ.get("EAMDEPLOY_BOARDS")
    return Path(file_name).expanduser() if file_name else platformdirs.user_config_path("eamdeploy") / "boards.toml"
