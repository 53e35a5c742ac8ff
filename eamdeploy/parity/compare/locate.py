"""When an artifact differs: look inside it and the network, on the worst images, and find where it begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eamdeploy.base.errors import MissingDependency
from eamdeploy.data import ImageDataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import Checkpoint
from eamdeploy.parity.compare.divergence import Tolerances, first_divergence
from eamdeploy.parity.compare.measure import ParityMeasurements
from eamdeploy.parity.report.model import Divergence
from eamdeploy.parity.run.alphas import assign_alphas
from eamdeploy.parity.run.probe import open_graph, open_probe
from eamdeploy.parity.run.trace import trace
from eamdeploy.parity.run.widen import perturb, round_to_half, widen
from runtimes.protocol import Runtime
from runtimes.readers.metadata import ArtifactMetadata


def locate(
    path: Path,
    runtime: Runtime,
    *,
    metadata: ArtifactMetadata,
    checkpoint: Checkpoint,
    dataset: ImageDataset,
    measured: ParityMeasurements,
    threads: int,
) -> Divergence | None:
    """The first layer that differs, on the images that differ most; ``None`` where the inside agrees or is hidden."""
    judge = measured.judge
    apply = Preprocessing.from_dict(checkpoint.preprocessing).apply
    images = np.stack([apply(dataset.image(index)) for index in measured.worst])
    try:
        graph = open_graph(path)
    except MissingDependency:
        return None
    with open_probe(path, graph, list(dict.fromkeys(graph.tensors)), runtime, threads) as probe:
        tensors = probe.run(images)
    exact = trace(widen(checkpoint.network), images)
    half = metadata.precision == "fp16"
    rounded = [
        trace(round_to_half(checkpoint.network) if half else checkpoint.network, images),
        trace(perturb(checkpoint.network, 2 * judge.rounding.unit), images),
    ]
    layers = {
        layer: layer_trace.alpha.shape[1] for layer, layer_trace in exact.items() if layer_trace.alpha is not None
    }
    alphas = assign_alphas(graph, metadata, layers, tensors)
    limit = None if judge.exact else 10 ** (-judge.limits.min_snr_db / 20)
    tolerances = Tolerances(judge.factor, judge.rounding.unit, limit)
    names = [dataset.key(index) for index in measured.worst]
    return first_divergence(exact, rounded, tensors, alphas=alphas, tolerances=tolerances, images=names)
