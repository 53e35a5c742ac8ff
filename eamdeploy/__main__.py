"""``python -m eamdeploy``."""

from __future__ import annotations

import os
import sys

# python -m puts the current folder first; a file of the user's there, such as json.py, must not be taken for a library
if sys.path[:1] == [os.getcwd()] and not os.path.samefile(sys.path[0], os.path.dirname(os.path.dirname(__file__))):  # noqa: PTH109, PTH120, PTH121
    del sys.path[0]

from eamdeploy.cli.process import start

start()
