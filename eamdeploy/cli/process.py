"""A command as a process: Ctrl-C and SIGTERM end it within two seconds, whatever it is doing, and leave nothing behind.

Python hears of a signal only between two steps of its main thread, and waits for other threads at its end: a converter in
C++, a model that is loading or a download in a thread would go on for many seconds. So another thread listens as well.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from types import FrameType
from typing import NoReturn

from eamdeploy.base.files import remove_unfinished
from eamdeploy.base.processes import eamdeploy_command, end_all, run_in_front
from eamdeploy.cli.main import main

WITHIN_S = 1.3  # for ending in good order; of the two seconds, a busy machine needs some to hear and to clear up
_CLEARING_S = 0.4
_GUARDED = "EAMDEPLOY_GUARDED"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def start() -> NoReturn:
    """Run the command in ``sys.argv`` and end the process."""
    if "quantize" in sys.argv and _GUARDED not in os.environ and not {"-h", "--help"} & set(sys.argv):
        _guard(sys.argv[1:])
    try:
        _listen()
        main(sys.argv[1:])
    except KeyboardInterrupt:
        os.write(2, b"interrupted\n")
        _leave(_status(signal.SIGINT))
    except SystemExit as ended:
        if ended.code in [_status(number) for number in _SIGNALS]:
            _leave(int(str(ended.code)))
        raise
    sys.exit(0)


def _guard(words: list[str]) -> NoReturn:
    """Run the command in another process: a file that crashes a quantizer or a runtime ends that one, and this one says so."""
    os.environ[_GUARDED] = "1"
    status = run_in_front(eamdeploy_command(*words), ends_within_s=WITHIN_S + _CLEARING_S)
    if status >= 0:
        sys.exit(status)
    if -status in _SIGNALS or -status == signal.SIGKILL:
        sys.exit(_status(-status))
    from eamdeploy.base.errors import UsageError
    from eamdeploy.cli.main import say

    files = ", ".join(word for word in words if word.endswith((".onnx", ".tflite"))) or None
    why = f"the process ended by {signal.Signals(-status).name}"
    hint = "the file is damaged, or was made for another version of the runtime; export it again"
    say(f"error: {UsageError('quantizing crashes on this file', where=files, why=why, hint=hint)}")
    sys.exit(UsageError.exit_code)


def _listen() -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job: Ctrl-C is for others
        return
    signal_reader, signal_writer = os.pipe()
    os.set_blocking(signal_writer, False)
    signal.set_wakeup_fd(signal_writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _terminated)
    threading.Thread(target=_end_soon, args=(signal_reader,), name="signals", daemon=True).start()


def _terminated(number: int, _: FrameType | None) -> None:
    raise SystemExit(_status(number))


def _end_soon(signal_reader: int) -> None:
    while (number := os.read(signal_reader, 1)[0]) not in _SIGNALS:
        pass
    end_all()  # what waits for another process comes back
    threading.Event().wait(WITHIN_S)
    if number == signal.SIGINT:
        os.write(2, b"interrupted\n")
    _leave(_status(number))


def _leave(status: int) -> NoReturn:
    """End now: without taking apart what was imported, which takes PyTorch a second, and without waiting for threads."""
    clearing = threading.Thread(target=_clear, daemon=True)
    clearing.start()
    clearing.join(_CLEARING_S)
    os._exit(status)


def _clear() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue
    end_all()
    remove_unfinished()
    atexit._run_exitfuncs()  # temporary folders and the like


def _status(number: int) -> int:
    """As a shell shows it."""
    return 128 + number
