"""``python -m eamdeploy``."""

from __future__ import annotations

from eamdeploy.cli.main import main

main()
