"""A login that works and a command that does not run: what the account's shell did instead, in words."""

from __future__ import annotations

import re

from eamdeploy.base.errors import BoardUnreachable, EamdeployError, MissingDependency

_GUARD = "case $- in *i*) ;; *) return ;; esac"
_HINT = f"let the start-up files of the shell there (~/.bashrc and the like) end early without a terminal; first line: {_GUARD}"
_ACCOUNT = "log in as a user who may run commands: eamdeploy devices add … --host USER@…"
# what such accounts print, and what it means
_RENEW = "log in there with ssh and choose another password"
_LATER = "wait a minute, then run the command again"
_REFUSALS = (
    (
        re.compile(r"password has expired|change your password", re.IGNORECASE),
        "its password has expired",
        _RENEW,
    ),
    (re.compile(r"booting up|shutting down|going down", re.IGNORECASE), "the board is starting or stopping", _LATER),
    (
        re.compile(r"sftp connections only|sftp only", re.IGNORECASE),
        "the account may copy files and nothing else",
        _ACCOUNT,
    ),
    (
        re.compile(r"account is currently not available|nologin", re.IGNORECASE),
        "the account is closed for logins",
        _ACCOUNT,
    ),
    (re.compile(r"restricted", re.IGNORECASE), "the account's shell is a restricted one", _ACCOUNT),
)


def waits_for_input(where: str, noise: str, *, ended: bool, limit_s: float) -> BoardUnreachable:
    """The shell did nothing until its input was closed.

    Args:
        where: the board.
        noise: what it printed.
        ended: it then ended, without running the command.
        limit_s: how long was waited.
    """
    what = (
        "the board's login shell starts another program instead of running the command"
        if ended
        else "the board's login shell waits for input before it runs a command"
    )
    return BoardUnreachable(what, where=where, why=_why(f"nothing else within {limit_s:g} s", noise), hint=_HINT)


def is_silent(where: str, noise: str, *, limit_s: float) -> BoardUnreachable:
    """The shell never got to the command."""
    return BoardUnreachable(
        "the board's login shell does not get to the command",
        where=where,
        why=_why(f"its start-up files still run after {limit_s:g} s, or its home folder does not answer", noise),
        hint=_HINT,
    )


def refuses(where: str, noise: str, status: int | None) -> EamdeployError:
    """The session ended before the command began."""
    unknown = (
        ("the login shell ended without a word, or sends its output elsewhere", _HINT)
        if status == 0 and not noise.strip()
        else ("the login shell ended first", _ACCOUNT)
    )
    meaning, hint = next(((meaning, hint) for pattern, meaning, hint in _REFUSALS if pattern.search(noise)), unknown)
    if status is not None:
        meaning += f" (exit status {status})"
    kind = BoardUnreachable if hint is _LATER else MissingDependency
    return kind("the board runs no commands for this login", where=where, why=_why(meaning, noise), hint=hint)


def _why(meaning: str, noise: str) -> str:
    lines = [line.strip() for line in noise.splitlines() if line.strip()]
    return f"{meaning}; it said: {' / '.join(lines[-3:])[:300]}" if lines else meaning
