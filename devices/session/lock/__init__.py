"""One job per board at a time."""

from devices.session.lock.board_lock import BoardLock, Holder, board_lock

__all__ = ["BoardLock", "Holder", "board_lock"]
