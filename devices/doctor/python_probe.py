"""Asks a board's Python what it has; runs on the board, any Python 3, prints one JSON object.

On its standard input it is given the runner's sensors, name and source of each module: what the doctor sees is what a
run would see, and nothing is written on the board for it.
"""

import importlib.abc
import importlib.util
import json
import os
import platform
import site
import sys
import sysconfig

# onnxruntime would write files into the home folder and report to its maker; looking must change nothing
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
OLDEST = (3, 9)

if sys.prefix == sys.base_prefix:  # as the runner does: isolated, but with what pip installed for this user
    site.addsitedir(site.getusersitepackages())


def version(name: str, imported: bool = True) -> "str | None":
    """Version of an installed package: None when absent, the error's text when its import fails."""
    try:
        if importlib.util.find_spec(name.split(".")[0]) is None:
            return None
        from importlib import metadata

        if imported and sys.argv[1:] != ["version"]:
            __import__(name)
        return metadata.version(name.replace("_", "-"))
    except Exception as error:
        return "broken: " + (str(error).splitlines() or [type(error).__name__])[-1]


class Given(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports the modules that were handed over."""

    def __init__(self, sources: "dict[str, str]") -> None:
        self.sources = sources

    def find_spec(self, name, _path=None, _target=None):  # type: ignore[no-untyped-def]
        """The module, if it is one of them."""
        return importlib.util.spec_from_loader(name, self) if name in self.sources else None

    def is_package(self, name: str) -> bool:
        """A name that others lie below."""
        return any(other.startswith(name + ".") for other in self.sources)

    def get_source(self, name: str) -> str:
        """Its source."""
        return self.sources[name]


def sensed() -> "dict[str, object]":
    """What the runner's sensors read now."""
    if sys.version_info < OLDEST:
        return {"sensors_error": "the sensors are read with Python 3.9 or later"}
    try:
        sys.meta_path.insert(0, Given(json.loads(sys.stdin.read() or "{}")))
        from devices.runner.sensors.survey import survey

        return survey()
    except Exception as error:
        return {"sensors_error": type(error).__name__ + ": " + str(error)}


print(  # noqa: T201 - this is the answer
    "@eamdeploy "
    + json.dumps(
        {
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "executable": sys.executable,
            "platform": sysconfig.get_platform(),
            "bits": 64 if sys.maxsize > 2**32 else 32,
            "libc": " ".join(platform.libc_ver()),
            "prefix": sys.prefix,
            "numpy": version("numpy"),
            "onnxruntime": version("onnxruntime"),
            "ai_edge_litert": version("ai_edge_litert"),
            "tflite_runtime": version("tflite_runtime"),
            "ncnn": version("ncnn"),
            "MNN": version("MNN", imported=False),  # it prints when it is imported, between the lines of this answer
            "pip": importlib.util.find_spec("pip") is not None,
            "venv": importlib.util.find_spec("venv") is not None,
            "ensurepip": importlib.util.find_spec("ensurepip") is not None,
            **sensed(),
        }
    )
)
