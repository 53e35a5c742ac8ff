"""Messages with arrays between two processes of one machine: a length, JSON, then the arrays' bytes. Nothing is unpickled."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtimes.protocol import Array

_LENGTH_BYTES = 8


def write_frame(pipe: IO[bytes], message: Mapping[str, Any], arrays: Sequence[tuple[str, Array]] = ()) -> None:
    """Write a message and its named arrays."""
    import numpy as np

    whole = [(name, np.ascontiguousarray(array)) for name, array in arrays]
    described = [{"name": name, "dtype": array.dtype.str, "shape": list(array.shape)} for name, array in whole]
    head = json.dumps({**message, "arrays": described}).encode()
    pipe.write(len(head).to_bytes(_LENGTH_BYTES, "little") + head)
    for _, array in whole:
        pipe.write(array.tobytes())
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> tuple[dict[str, Any], list[Array]]:
    """Read a message and its arrays; their names stay in the message.

    Raises:
        EOFError: the other side has ended.
    """
    import numpy as np

    message: dict[str, Any] = json.loads(_exactly(pipe, int.from_bytes(_exactly(pipe, _LENGTH_BYTES), "little")))
    arrays = []
    for entry in message["arrays"]:
        dtype = np.dtype(entry["dtype"])
        content = _exactly(pipe, math.prod(entry["shape"]) * dtype.itemsize)
        arrays.append(np.frombuffer(content, dtype).reshape(entry["shape"]).copy())
    return message, arrays


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    content = pipe.read(count)
    if len(content) < count:
        raise EOFError
    return content
