"""What a load writes to standard error, seen from outside the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

_LOAD = """
import os, sys
from pathlib import Path
from runtimes.litert import LiteRt
from runtimes.protocol import RuntimeOptions
LiteRt().load(Path(sys.argv[1]), RuntimeOptions())
"""


def _stderr(code, *arguments):
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_litert_loads_without_a_word(tflite):
    assert _stderr(_LOAD, str(tflite[0])) == (0, "")


def test_where_nothing_is_held_back_the_greeting_is_there(tflite):
    """Else the test above would prove nothing."""
    status, greeting = _stderr("from runtimes.support import quiet; quiet.pass_everything()" + _LOAD, str(tflite[0]))
    assert status == 0
    assert "XNNPACK delegate" in greeting


def test_anything_else_passes_in_its_order():
    code = """
import os
from runtimes.support.quiet import greetings_dropped
with greetings_dropped():
    os.write(2, b"ERROR: one\\nINFO: Created TensorFlow Lite XNNPACK delegate for CPU.\\nWARNING: two\\n")
    os.write(2, b"no line end")
os.write(2, b"!")
"""
    assert _stderr(code) == (0, "ERROR: one\nWARNING: two\nno line end!")


def test_a_failure_inside_loses_nothing():
    code = """
import os
from runtimes.support.quiet import greetings_dropped
with greetings_dropped():
    os.write(2, b"ERROR: it is broken\\n")
    raise SystemExit(3)
"""
    assert _stderr(code) == (3, "ERROR: it is broken\n")


@pytest.mark.skipif(sys.platform == "win32", reason="closes file descriptors")
def test_a_closed_standard_error_is_no_obstacle(tflite):
    assert _stderr("import os; os.close(2)" + _LOAD, str(tflite[0]))[0] == 0
