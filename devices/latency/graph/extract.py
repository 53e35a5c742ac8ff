"""An artifact file's operator list: `extract_features("model.tflite")`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from devices.latency.graph.classify import classify
from devices.latency.graph.mnn_reader import read_mnn
from devices.latency.graph.ncnn_reader import read_ncnn
from devices.latency.graph.onnx_reader import read_onnx
from devices.latency.graph.records import ArtifactFeatures, OperatorRecord
from devices.latency.graph.tflite_reader import read_tflite
from eamdeploy.base.errors import UsageError
from runtimes.readers.metadata import ArtifactMetadata, read_metadata

READERS = {"onnx": read_onnx, "tflite": read_tflite, "ncnn": read_ncnn, "mnn": read_mnn}


def extract_features(path: Path | str) -> ArtifactFeatures:
    """Read the operators of an .onnx, .tflite or ncnn artifact; dynamic layers are counted as they were lowered.

    Needs neither torch, nor onnx, nor a runtime.

    Raises:
        UsageError: no such file, no such format, a damaged file, or one without an operator that computes.
    """
    file = Path(path)
    metadata = read_metadata(file)
    if metadata.format not in READERS:
        raise UsageError(
            "the operators of such a file are not read",
            where=file,
            hint="estimate the .onnx file of the same network, and name the runtime",
        )
    try:
        return _features(file, metadata)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        # every part of it decodes, but its operators do not fit their tensors
        raise UsageError(
            "the artifact's operators do not fit together",
            where=file,
            why=f"shapes of their tensors are missing or wrong ({error})",
            hint="export it again, with the shapes of all tensors in it",
        ) from error


def _features(file: Path, metadata: ArtifactMetadata) -> ArtifactFeatures:
    graph = READERS[metadata.format](file)
    layers = [str(entry["layer"]) for entry in metadata.plan if "layer" in entry]
    records = classify(graph, layers)
    if not any(r.macs for r in records):
        raise UsageError("the artifact has no operator that computes", where=file, hint="is it a whole network?")
    return ArtifactFeatures(
        name=metadata.name or file.stem,
        format=metadata.format,
        precision=_precision(records, metadata.precision),
        records=records,
        input_px=graph.input_px,
        lowerings=tuple(sorted({str(entry.get("lowering", "?")) for entry in metadata.plan})),
        family=str((metadata.architecture or {}).get("arch", "")),
    )


def _precision(records: Sequence[OperatorRecord], stated: str | None) -> str:
    """int8 where most arithmetic is: a foreign artifact does not say, and another's quantizer keeps what the float file said."""
    total = sum(r.macs for r in records)
    if sum(r.macs for r in records if r.element_bytes == 1) > total / 2:
        return "int8"
    return stated if stated in ("fp32", "fp16", "int8") else "fp32"
