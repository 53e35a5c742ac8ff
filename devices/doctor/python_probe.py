"""Asks a board's Python what it has; runs on the board, any Python 3, prints one JSON object."""

import importlib.util
import json
import os
import platform
import site
import sys
import sysconfig

# onnxruntime would write files into the home folder and report to its maker; looking must change nothing
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


if sys.prefix == sys.base_prefix:  # as the runner does: isolated, but with what pip installed for this user
    site.addsitedir(site.getusersitepackages())


def version(name: str) -> "str | None":
    """Version of an installed package: None when absent, the error's text when its import fails."""
    try:
        if importlib.util.find_spec(name.split(".")[0]) is None:
            return None
        from importlib import metadata

        if sys.argv[1:] != ["version"]:
            __import__(name)
        return metadata.version(name.replace("_", "-"))
    except Exception as error:
        return "broken: " + (str(error).splitlines() or [type(error).__name__])[-1]


print(  # noqa: T201 - this is the answer
    "@eamdeploy "
    + json.dumps(
        {
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "executable": sys.executable,
            "platform": sysconfig.get_platform(),
            "prefix": sys.prefix,
            "numpy": version("numpy"),
            "onnxruntime": version("onnxruntime"),
            "ai_edge_litert": version("ai_edge_litert"),
            "tflite_runtime": version("tflite_runtime"),
            "pip": importlib.util.find_spec("pip") is not None,
            "venv": importlib.util.find_spec("venv") is not None,
            "ensurepip": importlib.util.find_spec("ensurepip") is not None,
        }
    )
)
