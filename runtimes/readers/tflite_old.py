"""What tflite-runtime 2.14, the last of its name, gets wrong without a word.

It refuses an operator whose version it does not know. But a file may hold what it does not compute rightly under a
version that it knows; that must be said before it runs.
"""

from __future__ import annotations

from pathlib import Path

from runtimes.readers.tflite_file import FLOAT32, FULLY_CONNECTED, INT8, TfliteOperator, read_operators

_FIXED_IN = 12  # the version of FULLY_CONNECTED that has scales per channel for float inputs


def needs_newer_runtime(path: Path) -> list[str]:
    """Reasons why this file must run in ai-edge-litert rather than in tflite-runtime 2.14; empty when it need not.

    Measured with tflite-runtime 2.14.0 against ai-edge-litert 2.3.0: a FULLY_CONNECTED with float input and int8
    weights uses the first channel's scale for all of them.

    Raises:
        UsageError: not a TFLite file.
    """
    wrong = [operator for operator in read_operators(path) if _hybrid_per_channel(operator)]
    if not wrong:
        return []
    return [
        f"{len(wrong)} FULLY_CONNECTED operators have float inputs and int8 weights with a scale per channel "
        f"(version {_FIXED_IN}), of which the older runtime uses the first scale for all"
    ]


def _hybrid_per_channel(operator: TfliteOperator) -> bool:
    if operator.code != FULLY_CONNECTED or len(operator.inputs) < 2:
        return False
    features, weights = operator.inputs[:2]
    if features is None or weights is None:
        return False
    return features.type == FLOAT32 and weights.type == INT8 and weights.scales > 1
