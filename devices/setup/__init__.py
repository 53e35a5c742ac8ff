"""Installs what a board lacks, into a virtual environment of its own; nothing else on the board is touched."""

from devices.setup.board import set_up_board
from devices.setup.install import Installed, set_up

__all__ = ["Installed", "set_up", "set_up_board"]
