"""Which operators of a wrong file are to blame: those between tensors that the network has too and the first that it has not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eamdeploy.parity.run.probe import GraphOperator

Values = npt.NDArray[np.float32]
CLOSE = 1e-3  # of the largest element: rounding is far below, another value far above


@dataclass(frozen=True)
class SuspectPart:
    """A part of a graph that turns right tensors into a wrong one.

    Attributes:
        operators: in order of execution; the first is the first suspect.
        inputs: tensors that are right.
        output: the one that is wrong.
    """

    operators: tuple[GraphOperator, ...]
    inputs: tuple[str, ...]
    output: str


def explained(values: Mapping[str, Values], known_tensors: Iterable[Values]) -> set[str]:
    """Keys of the tensors in ``values`` that hold the elements of some tensor in ``known_tensors``, in whatever order.

    Converters change layouts; two tensors of as many elements with the same sorted elements are taken for the same.
    """
    by_size: dict[int, list[Values]] = {}
    for value in known_tensors:
        by_size.setdefault(value.size, []).append(np.sort(value, axis=None))
    right = set()
    for key, value in values.items():
        ordered = np.sort(value, axis=None)
        if any(_close(ordered, candidate) for candidate in by_size.get(value.size, [])):
            right.add(key)
    return right


def _close(first: Values, second: Values) -> bool:
    scale = float(np.abs(second).max())
    return bool(np.isfinite(first).all()) and float(np.abs(first - second).max()) <= CLOSE * max(scale, 1e-12)


def suspect_part(operators: Sequence[GraphOperator], wrong: str, right: set[str], input_keys: set[str]) -> SuspectPart:
    """The operators between right tensors and ``wrong``.

    Args:
        wrong: key of the tensor that is known to be wrong.
        right: keys of tensors that are right.
        input_keys: keys of the artifact's inputs.
    """
    maker = {key: operator for operator in operators for key in operator.outputs}
    part: set[int] = set()
    inputs: list[str] = []
    waiting = [wrong]
    position = {id(operator): number for number, operator in enumerate(operators)}
    while waiting:
        operator = maker.get(waiting.pop())
        if operator is None or position[id(operator)] in part:
            continue
        part.add(position[id(operator)])
        for key in operator.inputs:
            if key in right or key in input_keys:
                if key not in inputs:
                    inputs.append(key)
            else:
                waiting.append(key)
    return SuspectPart(tuple(operators[number] for number in sorted(part)), tuple(inputs), wrong)
