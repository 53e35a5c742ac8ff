"""From the classes of a data set to the outputs of a network.

By name where the names are the network's; by a map the user gives where they are others: Imagenette's folders are
WordNet ids, ten of the ImageNet network's 1001 classes.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eamdeploy.base.decoding import convert, decode, read_limited
from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.base.values import Count, Name
from eamdeploy.data.class_list import position_of

_Output: Any = Count | Name  # its index or its name
_UNUSABLE = "the class map cannot be used"

# the class of an output that nobody has named
UNNAMED = "class {}"


def read_class_map(path: Path | str) -> dict[str, int | str]:
    """A JSON object from the data's class (folder) names to the network's class indices or names.

    Raises:
        DataError: when the file is missing, no JSON object, maps to something else, or names a class twice.
    """
    try:
        content = read_limited(path, what="cannot read the class map").removeprefix(codecs.BOM_UTF8)
        hint = 'a JSON object of indices and names, such as {"n01440764": 1}'
        document = decode(dict[Name, Any], content, where=path, what=_UNUSABLE, hint=hint)
        json.loads(content, object_pairs_hook=_once)  # the decoder keeps the last of two equal names
        return {
            name: convert(_Output, value, where=f"{path}, '{name}'", what=_UNUSABLE) for name, value in document.items()
        }
    except UsageError as error:
        raise DataError(error.what, where=error.where or path, why=error.why, hint=error.hint) from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object whose names are different.

    Raises:
        DataError: for a name that occurs twice: JSON would keep the last and say nothing.
    """
    unique: dict[str, object] = {}
    for name, value in pairs:
        if name in unique:
            raise DataError(f"the class map names '{name}' twice", why=f"as {unique[name]!r} and as {value!r}")
        unique[name] = value
    return unique


def output_indices(
    data: Sequence[str],
    network: Sequence[str],
    class_map: Mapping[str, int | str] | None = None,
    *,
    where: object = None,
) -> tuple[int, ...]:
    """For each class of the data, the index of the network's output that stands for it.

    Without a map the names must be the network's, in any order.

    Args:
        data: the data's classes, in the order of its labels.
        network: the network's classes, in the order of its outputs.
        class_map: data name to network index or name.
        where: the data's name, for messages.

    Raises:
        DataError: in one sentence, when they do not match.
    """
    if class_map is not None:
        return tuple(_mapped(name, class_map, network, where) for name in data)
    if tuple(data) == tuple(network):
        return tuple(range(len(network)))
    hint = "give other data, or say which is which with `class_map`"
    if network and network[0] == UNNAMED.format(0):
        hint = "name its classes with `labels`, in the order of its outputs"
    if len(data) != len(network):
        why = f"the data has {len(data)} ({_some(data)}) and the network {len(network)} ({_some(network)})"
        raise DataError("the data's classes are not the network's", where=where, why=why, hint=hint)
    indices = []
    for name in data:
        position = position_of(name, network, where)
        if position is None:
            why = f"the network has no class '{name}'; it has {_some(network)}"
            raise DataError("the data's classes are not the network's", where=where, why=why, hint=hint)
        indices.append(position)
    return tuple(indices)


def _mapped(name: str, class_map: Mapping[str, int | str], network: Sequence[str], where: object) -> int:
    if name not in class_map:
        raise DataError(f"the class map has no entry for the data's class '{name}'", where=where)
    value = class_map[name]
    if isinstance(value, str):
        position = position_of(value, network, f"class map, '{name}'")
        if position is None:
            raise DataError(f"the class map gives '{name}' the class '{value}', which the network does not have")
        return position
    if not 0 <= value < len(network):
        raise DataError(f"the class map gives '{name}' the index {value}, and the network has {len(network)} classes")
    return value


def _some(names: Sequence[str], count: int = 3) -> str:
    listed = ", ".join(names[:count])
    return f"{listed}, …" if len(names) > count else listed
