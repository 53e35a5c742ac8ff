"""Look inside an artifact: a temporary copy of it in which inner tensors are outputs, run by the same runtime.

The copy goes through the runtime as the artifact does, delegates and all; only what a runtime would fuse across a
tensor that is asked for is computed apart.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from eamdeploy.base.errors import UsageError
from runtimes.protocol import Runtime, RuntimeOptions, Session

Array = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]


@dataclass(frozen=True)
class GraphOperator:
    """An operator of an artifact: its kind and name in the format's own words, the keys of what it reads and computes.

    Of its inputs only computed tensors and the artifact's inputs are named.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class ProbedGraph(Protocol):
    """The tensors of an artifact.

    Attributes:
        operators: in order of execution.
        inputs: keys of its inputs.
        outputs: names of its outputs.
        tensors: keys of all computed inner tensors, in order of execution.
        softmaxes: keys of those that a softmax computes, in order of execution.
    """

    operators: tuple[GraphOperator, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    tensors: tuple[str, ...]
    softmaxes: tuple[str, ...]

    def key(self, name: str) -> str | None:
        """The key of the tensor called ``name``, or ``None`` where the artifact has none."""
        ...

    def write(self, path: Path, keys: Sequence[str]) -> None:
        """Write a copy whose outputs are the artifact's, followed by ``keys``."""
        ...


def open_graph(path: Path) -> ProbedGraph:
    """Read an artifact's graph.

    Raises:
        UsageError: when it is no artifact.
        MissingDependency: when the package that reads the format is not there.
    """
    if path.suffix.lower() == ".onnx":
        from eamdeploy.parity.run.probe_onnx import ProbedOnnxGraph

        return ProbedOnnxGraph(path)
    if path.suffix.lower() == ".tflite":
        from eamdeploy.parity.run.probe_tflite import TfliteGraph

        return TfliteGraph(path)
    if path.suffix.lower() == ".param":
        from eamdeploy.parity.run.probe_ncnn import NcnnGraph

        return NcnnGraph(path)
    if path.suffix.lower() == ".mnn":
        from eamdeploy.parity.run.probe_mnn import MnnGraph

        return MnnGraph(path)
    raise UsageError("cannot look inside a file of this kind", where=path)


class Probe:
    """A running copy of an artifact that shows some of its inner tensors."""

    def __init__(self, graph: ProbedGraph, session: Session, keys: Sequence[str]) -> None:
        self.keys = list(keys)
        self._session = session
        self._first = len(graph.outputs)
        fixed = session.inputs[0].shape[0]
        self.batch = 1 if fixed is None else fixed

    def shaped(self, image: Images) -> dict[str, npt.NDArray[np.float32]]:
        """The tensors of one image ``(1, C, H, W)``, in the artifact's own shapes."""
        values = self._session.run(np.repeat(image, self.batch, axis=0))[self._first :]
        return {key: np.asarray(value, dtype=np.float32) for key, value in zip(self.keys, values, strict=True)}

    def model_input(self, image: Images) -> Images:
        """One image ``(1, C, H, W)`` as the artifact takes it, with its channels last where they are there."""
        shape = self._session.inputs[0].shape[1:]
        fits = all(size in (None, side) for size, side in zip(shape, image.shape[1:], strict=True))
        return image if fits else np.ascontiguousarray(np.moveaxis(image, 1, -1))

    def run(self, images: Images) -> dict[str, Array]:
        """The tensors of each image, flattened: key to (n, elements); tensors without a part per image are left out."""
        pieces: dict[str, list[Array]] = {key: [] for key in self.keys}
        for start in range(0, len(images), self.batch):
            piece = images[start : start + self.batch]
            count = len(piece)
            filled = np.concatenate([piece, np.repeat(piece[-1:], self.batch - count, axis=0)])
            values = self._session.run(filled)[self._first :]
            for key, value in zip(self.keys, values, strict=True):
                if value.dtype.kind == "f" and value.size and value.size % self.batch == 0:
                    pieces[key].append(value.reshape(self.batch, -1)[:count].astype(np.float64))
        return {key: np.concatenate(parts) for key, parts in pieces.items() if parts}


@contextlib.contextmanager
def open_probe(path: Path, graph: ProbedGraph, keys: Sequence[str], runtime: Runtime, threads: int) -> Iterator[Probe]:
    """Run the artifact with ``keys`` visible; the copy is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="eamdeploy-") as folder:
        copy = Path(folder) / f"probe{path.suffix}"
        graph.write(copy, keys)
        session = runtime.load(copy, RuntimeOptions(threads=threads))
        try:
            yield Probe(graph, session, keys)
        finally:
            session.close()
