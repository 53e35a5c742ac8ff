"""Which options of a command stand together, by task, and in which order: what is used most comes first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_ARCHITECTURE = "arch width conv select kernels channels pool pool-size temperature seed"
_FOREIGN = "preprocessing labels head"
_OUTPUT = "json help"
_FILTERS = "artifact device board runtime precision provenance verdict commit since until last"

# command -> panel -> its options, in order; a name that the command does not have is left out
PANELS: Mapping[str, Mapping[str, str]] = {
    "train": {
        "Data and result": "data out kind input class-map exif note",
        "Training": "recipe epochs batch lr from augment ema label-smoothing anneal-to anneal-epochs qat",
        "Network": _ARCHITECTURE,
        "Running": "resume threads acceleration arithmetic tensorboard",
        "Output": _OUTPUT,
    },
    "describe": {
        "What to show": "attention limit paper-table",
        "Network": _ARCHITECTURE,
        "Input and classes": "classes input in-channels",
        "Output": _OUTPUT,
    },
    "init": {"Result, input and classes": "out classes input in-channels", "Network": _ARCHITECTURE, "Output": _OUTPUT},
    "import": {
        "Source and result": "out weights head classes labels input check class-map noise",
        "What a file of weights does not say": "source state activation epsilon padding preprocessing resize",
        "Network": _ARCHITECTURE,
        "Output": _OUTPUT,
    },
    "export": {
        "What to write": "out format precision name batch opset",
        "Where it will run": "device threads lowering constant-weights measure board simplify",
        "Images": "calibration data limit class-map",
        "Accuracy for speed": "budget minimize finetune",
        "Quantization": "max-drop method calibration-images check-images float-layers",
        "Output": f"verbose {_OUTPUT}",
    },
    "quantize": {
        "What to write": "precision out format",
        "Images": "calibration data class-map calibration-images check-images",
        "Quantization": "max-drop method float-layers",
        "Models from elsewhere": _FOREIGN,
        "Output": _OUTPUT,
    },
    "verify": {
        "Comparison": "against data limit random",
        "Tolerances": "factor min-snr min-agreement",
        "Running": "runtime threads",
        "Models from elsewhere": _FOREIGN,
        "Output": f"junit sarif summary {_OUTPUT}",
    },
    "evaluate": {
        "Images": "data split limit class-map",
        "Running": "runtime threads",
        "Models from elsewhere": _FOREIGN,
        "Output": _OUTPUT,
    },
    "predict": {
        "What to show": "top",
        "Running": "runtime threads",
        "Models from elsewhere": _FOREIGN,
        "Output": _OUTPUT,
    },
    "bench": {
        "Where": "device board all wait",
        "Accuracy": "data accuracy limit",
        "How": "runtime threads batch affinity arithmetic provider xnnpack spinning",
        "How long": "within max-seconds runs cooldown",
        "Other measurements": "operators self-check instructions estimate",
        "Output": f"store no-store {_OUTPUT}",
    },
    "estimate": {
        "What to estimate": "device all-devices compare layers",
        "How it would run": "runtime precision threads",
        "Output": _OUTPUT,
    },
    "history": {"Which runs": _FILTERS, "Output": f"samples store {_OUTPUT}"},
    "report": {
        "What to write": "out markdown title attention training",
        "Which runs": f"{_FILTERS} store",
        "Output": _OUTPUT,
    },
    "gate": {
        "What to compare": "baseline current write-baseline store",
        "Limits": "max-latency-increase max-accuracy-drop max-instructions-increase max-size-increase max-memory-increase",
        "What may be missing": "allow-skipped allow-missing",
        "Output": f"junit sarif summary {_OUTPUT}",
    },
}


def in_panels(path: str, options: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
    """The options of a command in panels, each with its name; what no panel names comes under ``Options``.

    Args:
        path: the command's words without the program's, such as ``devices add``.
        options: the command's options.
    """
    options_left = {max(option.opts, key=len).lstrip("-"): option for option in options}
    for panel, names in PANELS.get(path, {}).items():
        if panel_options := [options_left.pop(name) for name in names.split() if name in options_left]:
            yield panel, panel_options
    if options_left:
        yield "Options", list(options_left.values())
