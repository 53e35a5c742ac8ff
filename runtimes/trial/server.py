"""The process in which files from elsewhere are loaded and run; see :mod:`runtimes.trial.session`."""

from __future__ import annotations

import contextlib
import itertools
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eamdeploy.base.errors import EamdeployError
from runtimes.batching import sample_feeds
from runtimes.protocol import RuntimeOptions, Session
from runtimes.registry import get_runtime
from runtimes.trial.frames import read_frame, write_frame

if TYPE_CHECKING:
    from runtimes.protocol import Array


def serve() -> None:
    """Answer messages until the other side ends."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # whatever a runtime prints about a file is not an answer
        os.dup2(nowhere, descriptor)
    server = _TrialServer()
    while True:
        try:
            message, arrays = read_frame(requests)
        except EOFError:
            return
        try:
            answer, values = server.answer(message, arrays)
        except EamdeployError as error:
            parts = {"what": error.what, "where": error.where, "why": error.why, "hint": error.hint}
            answer, values = {"error": {"type": type(error).__name__, **parts}}, []
        except Exception as error:  # the other side says it in words
            why = f"{type(error).__name__}: {error}"[:400]
            answer, values = {"error": {"type": "", "what": "the runtime failed on this file", "why": why}}, []
        write_frame(answers, answer, [("", value) for value in values])


class _TrialServer:
    def __init__(self) -> None:
        self._sessions: dict[int, Session] = {}
        self._numbers = itertools.count(1)

    def answer(self, message: dict[str, Any], arrays: list[Array]) -> tuple[dict[str, Any], list[Array]]:
        """Do what a message asks."""
        operation = message["op"]
        if operation == "import":
            with contextlib.suppress(EamdeployError):  # loading says that it is missing
                get_runtime(message["runtime"]).version()
            return {}, []
        if operation == "load":
            return self._load(message), []
        if operation == "close":
            self._sessions.pop(message["session"]).close()
            return {}, []
        session = self._sessions[message["session"]]
        if operation == "run":
            return {}, session.run(arrays[0])
        if operation == "raw_run":
            names = [entry["name"] for entry in message["arrays"]]
            return {}, session.raw_run(dict(zip(names, arrays)))
        return {"operators": [asdict(row) for row in session.operator_times()]}, []

    def _load(self, message: dict[str, Any]) -> dict[str, Any]:
        values = message["options"]
        affinity = values.get("affinity")
        options = RuntimeOptions(**{**values, "affinity": None if affinity is None else tuple(affinity)})
        session = get_runtime(message["runtime"]).load(Path(message["path"]), options)
        # a file that does not come back from one inference is found out within the time for loading
        with contextlib.suppress(Exception):
            session.raw_run(sample_feeds(session.inputs, batch=1))
        number = next(self._numbers)
        self._sessions[number] = session
        described = {name: [asdict(each) for each in getattr(session, name)] for name in ("inputs", "outputs")}
        return {"session": number, **described}
