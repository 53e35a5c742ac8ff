"""Hold a converted file against its network, and narrow down what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eamdeploy.base.errors import MissingDependency
from eamdeploy.base.progress import SILENT, Progress
from eamdeploy.data import ImageDataset
from eamdeploy.data.dataset import take
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.parity.audit.cut import write_part, write_values
from eamdeploy.parity.audit.suspects import SuspectPart, Values, explained, suspect_part
from eamdeploy.parity.check import DEFAULT_IMAGES, check_parity
from eamdeploy.parity.report.model import ParityReport
from eamdeploy.parity.run.probe import ProbedGraph, open_graph, open_probe
from eamdeploy.parity.run.reference import forward
from eamdeploy.parity.run.trace import trace
from runtimes.readers.formats import model_name
from runtimes.registry import runtime_for


@dataclass(frozen=True)
class AuditReport:
    """What an audit found.

    Attributes:
        parity: the verification; whether the file is right stands there.
        suspect: the first operator that turns right tensors into wrong ones, or ``None``.
        part: the operators from there to the first tensor known to be wrong.
        part_file: the part as a file of its own, where the format can be cut.
        values_file: its inputs, what it gives and what it should give.
    """

    parity: ParityReport
    suspect: str | None = None
    part: SuspectPart | None = None
    part_file: Path | None = None
    values_file: Path | None = None

    @property
    def passed(self) -> bool:
        """Whether the file is the same function as the network."""
        return self.parity.passed

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        suspect = f"; the first operator to go wrong is {self.suspect}" if self.suspect else ""
        return f"{self.parity.sentence}{suspect}"

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON of the ``audit`` command."""
        return {
            "verdict": self.parity.verdict,
            "parity": self.parity.to_dict(),
            "suspect": self.suspect,
            "operators": [] if self.part is None else [f"{op.kind} {op.name}" for op in self.part.operators],
            "part_file": None if self.part_file is None else str(self.part_file),
            "values_file": None if self.values_file is None else str(self.values_file),
        }


def audit(
    artifact: Path,
    checkpoint: Checkpoint,
    dataset: ImageDataset,
    folder: Path,
    *,
    limit: int | None = DEFAULT_IMAGES,
    threads: int = 1,
    head: str | None = None,
    progress: Progress = SILENT,
) -> AuditReport:
    """Verify ``artifact`` on ``dataset``; of a wrong one, write the smallest part that shows it into ``folder``.

    Raises:
        UsageError: the file does not load, or several of its outputs could hold the classes and ``head`` names none
            (``output=NAME``).
    """
    report = check_parity(artifact, checkpoint, dataset, limit=limit, threads=threads, head=head, progress=progress)
    if report.passed:
        return AuditReport(report)
    images = take(dataset, limit)
    name = report.first_divergence.image if report.first_divergence is not None else None
    keys = [images.key(index) for index in range(len(images))]
    index = keys.index(name) if name in keys else 0
    image = Preprocessing.from_dict(checkpoint.preprocessing).apply(images.image(index))[np.newaxis]
    try:
        graph = open_graph(artifact)
    except MissingDependency:
        return AuditReport(report)
    keys_shown = list(dict.fromkeys(graph.tensors))
    with open_probe(artifact, graph, keys_shown, runtime_for(artifact), threads) as probe:
        values, model_input = probe.shaped(image), probe.model_input(image)
    known_tensors = _known_tensors(checkpoint, image)
    right = explained(values, known_tensors)
    wrong = _wrong_tensor(report, graph, values, right)
    if wrong is None:
        return AuditReport(report)
    part = suspect_part(graph.operators, wrong, right, set(graph.inputs))
    return _written(
        report,
        artifact,
        part,
        node_values=values,
        expected=_expected(report, checkpoint, image),
        folder=folder,
        input_values=dict.fromkeys(graph.inputs, model_input),
    )


def _wrong_tensor(report: ParityReport, graph: ProbedGraph, values: dict[str, Values], right: set[str]) -> str | None:
    divergence = report.first_divergence
    if divergence is not None and divergence.tensor in values:
        # known to be wrong, whatever other tensor it happens to resemble
        right.discard(str(divergence.tensor))
        return divergence.tensor
    compared = {graph.key(output.name) for output in report.outputs}
    outputs = [key for key in map(graph.key, graph.outputs) if key in values and key not in right]
    outputs.sort(key=lambda key: key not in compared)
    softmaxes = [key for key in graph.softmaxes if key in values and key not in right]
    return next(iter((*softmaxes, *outputs)), None)


def _known_tensors(checkpoint: Checkpoint, image: Values) -> list[Values]:
    """What the network computes of an image: its layers' outputs, mixing weights and scores, and the image itself."""
    layers = trace(checkpoint.network, image).values()
    forms = [form for layer in layers for form in layer.forms]
    alphas = [layer.alpha for layer in layers if layer.alpha is not None]
    tensors = [np.asarray(value, dtype=np.float32) for value in (*forms, *alphas, forward(checkpoint.network, image))]
    return [*tensors, np.asarray(image, dtype=np.float32)]


def _expected(report: ParityReport, checkpoint: Checkpoint, image: Values) -> Values | None:
    divergence = report.first_divergence
    if divergence is None:
        return None
    layer = trace(checkpoint.network, image).get(divergence.layer)
    if layer is None:
        return None
    value = layer.alpha if divergence.part == "attention" else layer.forms[-1] if layer.forms else None
    return None if value is None else np.asarray(value, dtype=np.float32)


def _written(
    report: ParityReport,
    artifact: Path,
    part: SuspectPart,
    *,
    node_values: dict[str, Values],
    expected: Values | None,
    folder: Path,
    input_values: dict[str, Values],
) -> AuditReport:
    folder.mkdir(parents=True, exist_ok=True)
    values = {key: node_values[key] for key in part.inputs if key in node_values}
    values |= {key: input_values[key] for key in part.inputs if key in input_values}
    target = folder / f"{model_name(artifact)}-wrong-part"
    file = write_part(artifact, part, values, target)
    npz = write_values(target, values, node_values[part.output], expected)
    # an operator that only hands on what it reads has no tensor of its own
    first = next((op for op in part.operators if any(key in node_values for key in op.outputs)), None)
    suspect = None if first is None else f"{first.kind} {first.name}"
    return AuditReport(report, suspect, part, file, npz)
