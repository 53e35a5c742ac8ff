"""The instructions of a network that is data: what is applied to what, in order, as a checkpoint's JSON holds them.

An argument is one of: a number, text, ``null`` or a list of arguments; ``{"value": NAME}``, what an earlier instruction gave;
``{"tensor": NAME}``, a tensor of the checkpoint; ``{"images": a, "plus": b}``, the integer ``a B + b`` for a batch of B images;
``{"dtype": NAME}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from eamdeploy.base.errors import DataError


@dataclass(frozen=True)
class Value:
    """What the input or an earlier instruction of this name gave."""

    name: str


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of the checkpoint."""

    name: str


@dataclass(frozen=True)
class BatchSize:
    """The integer ``images * B + plus`` for a batch of B images."""

    images: int
    plus: int = 0


@dataclass(frozen=True)
class Dtype:
    """A number format by PyTorch's name."""

    name: str


Argument = Any  # Value | StoredTensor | BatchSize | Dtype | int | float | bool | str | None | list of them


@dataclass(frozen=True)
class Instruction:
    """``name = operator(*args, **kwargs)``.

    Attributes:
        name: of what it gives.
        operator: an operator's name, or :data:`CALL`: a layer, which ``layer`` names.
        layer: path of the layer that is called, or empty.
        where: the module path it came from in the network that was imported; for names and messages.
    """

    name: str
    operator: str
    args: tuple[Argument, ...] = ()
    kwargs: Mapping[str, Argument] = field(default_factory=dict)
    layer: str = ""
    where: str = ""

    def values(self) -> Iterator[str]:
        """The names of the values it reads."""
        for argument in (*self.args, *self.kwargs.values()):
            yield from _values(argument)


CALL = "call"


def _values(argument: Argument) -> Iterator[str]:
    if isinstance(argument, Value):
        yield argument.name
    elif isinstance(argument, (list, tuple)):
        for inner in argument:
            yield from _values(inner)


def substitute(argument: Argument, change: Callable[[Argument], Argument]) -> Argument:
    """``argument`` with every leaf replaced by what ``change`` makes of it."""
    if isinstance(argument, (list, tuple)):
        return [substitute(inner, change) for inner in argument]
    return change(argument)


def encode_argument(argument: Argument) -> Any:
    """As JSON."""
    if isinstance(argument, (list, tuple)):
        return [encode_argument(inner) for inner in argument]
    if isinstance(argument, Value):
        return {"value": argument.name}
    if isinstance(argument, StoredTensor):
        return {"tensor": argument.name}
    if isinstance(argument, BatchSize):
        return {"images": argument.images, "plus": argument.plus}
    if isinstance(argument, Dtype):
        return {"dtype": argument.name}
    if (isinstance(argument, float) and argument != argument) or argument in (float("inf"), float("-inf")):
        return {"float": str(argument)}
    return argument


def decode_argument(stored: Any, where: str) -> Argument:
    """The inverse of :func:`encode_argument`.

    Raises:
        DataError: when it is none.
    """
    if stored is None or isinstance(stored, (bool, int, float, str)):
        return stored
    if isinstance(stored, list):
        return [decode_argument(inner, where) for inner in stored]
    kinds: dict[tuple[str, ...], Callable[[Any], Argument]] = {
        ("value",): lambda d: Value(str(d["value"])),
        ("tensor",): lambda d: StoredTensor(str(d["tensor"])),
        ("images", "plus"): lambda d: BatchSize(int(d["images"]), int(d["plus"])),
        ("dtype",): lambda d: Dtype(str(d["dtype"])),
        ("float",): lambda d: float(str(d["float"])),
    }
    if isinstance(stored, dict) and (make := kinds.get(tuple(sorted(stored)))) is not None:
        try:
            return make(stored)
        except (TypeError, ValueError) as error:
            raise DataError("an instruction of the checkpoint has a damaged argument", where=where) from error
    raise DataError(
        "an instruction of the checkpoint has an argument of an unknown kind",
        where=where,
        hint="was it written by a newer eamdeploy?",
    )


def encode(instruction: Instruction) -> dict[str, Any]:
    """As JSON; what is empty is left out."""
    document: dict[str, Any] = {"name": instruction.name, "operator": instruction.operator}
    if instruction.layer:
        document["layer"] = instruction.layer
    if instruction.args:
        document["args"] = [encode_argument(argument) for argument in instruction.args]
    if instruction.kwargs:
        document["kwargs"] = {key: encode_argument(value) for key, value in instruction.kwargs.items()}
    if instruction.where:
        document["where"] = instruction.where
    return document


def decode(document: Any) -> Instruction:
    """The inverse of :func:`encode`.

    Raises:
        DataError: when it is no instruction.
    """
    if not isinstance(document, dict) or not {"name", "operator"} <= set(document):
        raise DataError("the checkpoint's program holds something that is no instruction")
    name = str(document["name"])
    args, kwargs = document.get("args", []), document.get("kwargs", {})
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise DataError("an instruction of the checkpoint has damaged arguments", where=name)
    return Instruction(
        name,
        str(document["operator"]),
        args=tuple(decode_argument(argument, name) for argument in args),
        kwargs={str(key): decode_argument(value, name) for key, value in kwargs.items()},
        layer=str(document.get("layer", "")),
        where=str(document.get("where", "")),
    )
