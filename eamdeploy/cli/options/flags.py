"""From a parameter of the library to the flag that sets it: errors name the one, a command's user types the other."""

from __future__ import annotations

import re

# where the flag is spelled as the parameter, with dashes, it need not be written twice
_SAME = (
    "arithmetic", "board", "budget", "calibration", "class_map", "current", "data", "debug", "device", "estimate", "instructions",
    "labels", "lowering", "lr", "max_drop", "measure", "minimize", "out", "preprocessing", "provider", "python",
    "qat", "resume", "runtime", "store", "xnnpack",
)  # fmt: skip
FLAGS = {
    **{name: "--" + name.replace("_", "-") for name in _SAME},
    "every": "--all",
    "finetune_epochs": "--finetune",
    "formats": "--format",
    "input_px": "--input",
    "input_size": "--input",
    "precisions": "--precision",
    "start": "--from",
}
_PARAMETER = re.compile("`(" + "|".join(FLAGS) + ")`")


def with_flags(text: str) -> str:
    """A message of the library as the command line says it: ```out``` becomes ``--out``."""
    return _PARAMETER.sub(lambda match: FLAGS[match[1]], text)
