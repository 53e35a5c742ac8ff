"""Python, numpy and the runtimes."""

from __future__ import annotations

from collections.abc import Iterator

from devices.doctor.facts import BoardFacts, PythonFacts
from devices.doctor.finding import Diagnosis
from devices.doctor.wheels import runtime_wheels

OLDEST = (3, 9)  # of the runner
MACHINES_32 = ("armv6l", "armv7l", "armv8l", "i686")
_SETUP = "install what is missing with: eamdeploy devices setup"


def check_python(facts: BoardFacts) -> Iterator[Diagnosis]:
    """There is one, new enough."""
    if facts.home_silent:
        return
    if facts.python is None:
        hint = "install it: sudo apt-get install python3, or name another with: eamdeploy devices add … --python PATH"
        yield Diagnosis("Python", "problem", "none", facts.python_error or "", hint)
        return
    version_text = f"{facts.python.version} ({facts.python.executable})"
    if facts.python.release < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        yield Diagnosis(
            "Python", "problem", version_text, f"the runner needs {oldest} or later", "install a newer Python beside it"
        )
    else:
        yield Diagnosis("Python", "ok", version_text)


def check_numpy(facts: BoardFacts) -> Iterator[Diagnosis]:
    """It is there, can be imported, and fits tflite-runtime."""
    if facts.python is None:
        return
    numpy, old_runtime = facts.python.numpy, facts.python.runtimes.get("tflite-runtime")
    setup = _SETUP if unfit(facts) is None else ""
    if numpy is None:
        yield Diagnosis("numpy", "problem", "none", "the runner needs it", setup)
    elif numpy.startswith("broken:"):
        yield Diagnosis("numpy", "problem", numpy, "it cannot be imported", setup)
    elif old_runtime is not None and int(numpy.split(".")[0]) >= 2:
        meaning = f"tflite-runtime {old_runtime} was built for numpy 1 and crashes with numpy 2"
        yield Diagnosis("numpy", "warning", numpy, meaning, "use ai-edge-litert instead, or numpy<2 beside it")
    else:
        yield Diagnosis("numpy", "ok", numpy)


def check_runtimes(facts: BoardFacts) -> Iterator[Diagnosis]:
    """What is installed, and what could be."""
    if facts.python is None:
        return
    working = {
        name: version
        for name, version in facts.python.runtimes.items()
        if version and not version.startswith("broken:")
    }
    for name, version in facts.python.runtimes.items():
        if version is None:
            continue
        if name in working:
            yield Diagnosis(name, "ok", version)
        else:
            yield Diagnosis(name, "problem", version, "it cannot be imported", _SETUP)
    fitting = [wheel for wheel in runtime_wheels() if wheel.fits(facts.python.release, facts.glibc, facts.musl)]
    runnable = {format_ for wheel in fitting for format_ in wheel.formats}
    if not working:
        if (why := unfit(facts)) is not None:
            yield Diagnosis("runtimes", "problem", "none", why)
        else:
            names = " and ".join(wheel.package for wheel in fitting)
            yield Diagnosis("runtimes", "problem", "none", f"wheels fit for {names}", _SETUP)
    elif "onnxruntime" not in working or not working.keys() & {"ai-edge-litert", "tflite-runtime"}:
        format_ = ".tflite" if "onnxruntime" in working else ".onnx"
        if format_ in runnable:
            yield Diagnosis("runtimes", "note", ", ".join(working), f"{format_} files cannot be run yet", _SETUP)


def unfit(facts: BoardFacts) -> str | None:
    """Why no runtime can be installed on the board, in words; None where one can. Doctor and setup agree by it."""
    python = facts.python
    if python is None:
        return f"there is no Python ({facts.python_error})"
    if python.release < OLDEST:
        return f"Python {python.version} is older than {'.'.join(map(str, OLDEST))}"
    if python.bits == 32 or facts.machine in MACHINES_32:
        return f"numpy, which every runtime needs, has no wheels for 32-bit programs ({facts.machine})"
    if not any(wheel.fits(python.release, facts.glibc, facts.musl) for wheel in runtime_wheels()):
        return f"no wheel fits {_describe(python, facts)}"
    return None


def _describe(python: PythonFacts, facts: BoardFacts) -> str:
    libc = f"glibc {facts.glibc[0]}.{facts.glibc[1]}" if facts.glibc else (facts.libc or "an unknown C library")
    return f"Python {python.version} on {python.platform} with {libc}"
