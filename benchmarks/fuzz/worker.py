"""The process that reads damaged inputs, one after the other; it may be ended by any of them."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

from benchmarks.fuzz.kinds import KINDS
from eamdeploy.base.errors import EamdeployError, InternalError


def outcome(kind: str, path: Path) -> str:
    """``accepted``, ``refused``, or ``internal`` with where it happened."""
    reader = next(each for each in KINDS if each.name == kind)
    try:
        reader.read(path)
    except InternalError as error:
        return f"internal {error}"
    except EamdeployError:
        return "refused"
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"internal {type(error).__name__}: {error} at {Path(place.filename).name}:{place.lineno}"[:300]
    return "accepted"


def serve() -> None:
    """Answer each line, ``KIND<tab>PATH``, with one line."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        kind, _, path = line.rstrip("\n").partition("\t")
        answers.write(outcome(kind, Path(path)).replace("\n", " ") + "\n")
