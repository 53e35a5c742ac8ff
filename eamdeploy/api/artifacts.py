"""Artifacts: export, quantize, evaluate, predict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eamdeploy.api.networks import load
from eamdeploy.api.types import AnyPath, ArtifactLike, NetworkLike, artifact_path, folder_of, model_file, names
from eamdeploy.base.progress import SILENT, Progress

if TYPE_CHECKING:
    from eamdeploy.inference.evaluate import Evaluation
    from eamdeploy.inference.predict import Prediction
    from eamdeploy.pipeline.export import ExportedArtifact, ExportOptions
    from eamdeploy.pipeline.quantize.options import QuantizedArtifact, QuantizeOptions


def export(
    network: NetworkLike,
    out: AnyPath = ".",
    *,
    formats: str | Iterable[str] = "onnx",
    precisions: str | Iterable[str] = "fp32",
    calibration: AnyPath | None = None,
    data: AnyPath | None = None,
    budget: float = 0.0,
    minimize: str = "latency",
    finetune_epochs: int = 0,
    device: str | None = None,
    options: ExportOptions | None = None,
    quantization: QuantizeOptions | None = None,
    class_map: Mapping[str, int | str] | None = None,
    progress: Progress = SILENT,
) -> list[ExportedArtifact | QuantizedArtifact]:
    """Export a network to artifacts that are proven to be the same function on real images.

    Example:
        >>> artifacts = eamdeploy.export("fashion-mnist-v1x0.25-eam-rcr", "build", formats=["onnx"])
        >>> artifacts[0].parity.passed
        True

    Args:
        network: a checkpoint, its path, or the name of a shipped one.
        out: folder for the artifacts and their manifest.
        formats: ``onnx``, ``tflite``, or several.
        precisions: ``fp32``, ``fp16``, ``int8``, ``int8-weights``, or several.
        calibration: labelled images that int8 is calibrated with and that a budget is spent on.
        data: labelled images that the artifacts are checked with; the embedded sample by default.
        budget: points of top-1 that may be traded for cost; 0 keeps every layer exact.
        minimize: what a budget buys: ``latency``, ``size`` or ``instructions``.
        finetune_epochs: epochs to train on after a budget was spent.
        device: profile to plan for, such as ``pi4``.
        options: everything else; its formats, precisions, device and budget are replaced by the arguments here.
        quantization: how to quantize.
        class_map: from the names of the data's folders to the network's classes.
        progress: receives one sentence as each step begins.

    Raises:
        ParityError: an artifact is not the same function as the network; nothing is written under its name.
        UsageError: an argument that cannot be served.
        MissingDependency: a converter or a runtime is not installed.
    """
    from dataclasses import replace

    from eamdeploy.data import open_images
    from eamdeploy.pipeline.budget import budget_request
    from eamdeploy.pipeline.export import ExportOptions, export_checkpoint
    from eamdeploy.pipeline.quantize.request import quantize_request

    checkpoint = load(network)
    precision_names = names(precisions)
    request = None
    if any(name != "fp32" for name in precision_names):
        request = quantize_request(
            precision_names,
            checkpoint.classes,
            calibration=folder_of(calibration),
            data=folder_of(data),
            options=quantization,
            class_map=class_map,
        )
    base = options or ExportOptions()
    spending = base.budget
    if budget:
        spending = budget_request(
            budget,
            folder_of(calibration),
            folder_of(data),
            minimize=minimize,
            finetune_epochs=finetune_epochs,
            class_map=class_map,
        )
    settings = replace(
        base,
        formats=names(formats),
        precisions=precision_names,
        device=device or base.device,
        budget=spending,
        quantization=request or base.quantization,
    )
    dataset = None if data is None else open_images(Path(data), checkpoint.classes)
    return export_checkpoint(checkpoint, Path(out), settings, dataset=dataset, progress=progress)


def quantize(
    model: NetworkLike | ArtifactLike,
    out: AnyPath | None = None,
    *,
    precisions: str | Iterable[str] = "int8",
    formats: str | Iterable[str] | None = None,
    calibration: AnyPath | None = None,
    data: AnyPath | None = None,
    options: QuantizeOptions | None = None,
    class_map: Mapping[str, int | str] | None = None,
    preprocessing: str | None = None,
    labels: AnyPath | None = None,
    head: str | None = None,
    progress: Progress = SILENT,
) -> Sequence[ExportedArtifact | QuantizedArtifact]:
    """Quantize a float artifact, or a checkpoint, and measure the result on real images before it gets its name.

    Example:
        >>> small = eamdeploy.quantize("build/fashion-mnist-v1x0.25-eam-rcr.onnx", calibration="images")
        >>> small[0].precision
        'int8'

    Args:
        model: a float .onnx or .tflite file, an exported artifact, a checkpoint, or a shipped name.
        out: folder for the result; the artifact's own by default, the current one for a checkpoint.
        precisions: ``int8``, ``fp16``, ``int8-weights``, or several.
        formats: of a checkpoint: ``onnx`` (the default), ``tflite``, or both; an artifact stays what it is.
        calibration: labelled images that set the ranges.
        data: labelled images that the result is checked with.
        options: method, limits and layers that stay in float.
        class_map: from the names of the data's folders to the model's classes.
        preprocessing: of a file from elsewhere: JSON, or a file that holds it.
        labels: of a file from elsewhere: a file with its class names, one a line.
        head: of a file from elsewhere: what it answers with, such as ``logits`` or ``probabilities``.
        progress: receives one sentence as each step begins.

    Raises:
        ParityError: the result does not load, does not shrink, or loses more accuracy than allowed.
        UsageError: an argument that cannot be served.
    """
    from eamdeploy.inference.foreign import said_card
    from eamdeploy.inference.model_card import is_artifact
    from eamdeploy.networks.checkpoint import Checkpoint
    from eamdeploy.pipeline.quantize.files import check_format, quantize_file

    precision_names = names(precisions)
    if not isinstance(model, Checkpoint):
        path = artifact_path(model)
        if is_artifact(path):
            check_format(path, None if formats is None else names(formats))
            return quantize_file(
                path,
                None if out is None else Path(out),
                precision_names,
                calibration=folder_of(calibration),
                data=folder_of(data),
                options=options,
                class_map=class_map,
                preprocessing=preprocessing,
                labels=folder_of(labels),
                head=head,
                progress=progress,
            )
        model = str(path)
    said_card(model_file(model), preprocessing, folder_of(labels), head)
    return export(
        model,
        out or ".",
        formats=formats or "onnx",
        precisions=precision_names,
        calibration=calibration,
        data=data,
        quantization=options,
        class_map=class_map,
        progress=progress,
    )


def evaluate(
    model: NetworkLike | ArtifactLike,
    data: AnyPath | None = None,
    *,
    split: str = "test",
    class_map: Mapping[str, int | str] | None = None,
    limit: int | None = None,
    runtime: str | None = None,
    threads: int = 1,
    preprocessing: str | None = None,
    labels: AnyPath | None = None,
    head: str | None = None,
    progress: Progress = SILENT,
) -> Evaluation:
    """Measure top-1 and top-5 of a checkpoint or an artifact on labelled images, on this host.

    Example:
        >>> eamdeploy.evaluate("build/fashion-mnist-v1x0.25-eam-rcr.onnx", limit=20).result.n
        20

    Args:
        model: a checkpoint, an artifact, or the name of a shipped checkpoint.
        data: labelled images; the embedded sample by default, where the classes fit.
        split: ``test`` or ``train``.
        class_map: from the names of the data's folders to the model's classes.
        limit: at most this many images, balanced over the classes.
        runtime: the one for the file by default.
        threads: of the runtime.
        preprocessing: of a file from elsewhere: JSON, or a file that holds it.
        labels: of a file from elsewhere: a file with its class names, one a line.
        head: of a file from elsewhere: what it answers with, such as ``logits`` or ``probabilities``.
        progress: receives how many images of how many are done.

    Raises:
        UsageError: the classes do not fit, or the data cannot be read.
    """
    from eamdeploy.data import open_dataset
    from eamdeploy.inference.evaluate import evaluate as run
    from eamdeploy.inference.foreign import said_card

    dataset = None if data is None else open_dataset(Path(data), split)
    reference = model_file(model)
    card = said_card(reference, preprocessing, folder_of(labels), head)
    return run(
        reference, dataset, class_map=class_map, limit=limit, runtime=runtime, threads=threads, card=card,
        progress=progress,
    )  # fmt: skip


def predict(
    artifact: ArtifactLike,
    images: Sequence[AnyPath],
    *,
    top: int = 5,
    runtime: str | None = None,
    threads: int = 1,
    preprocessing: str | None = None,
    labels: AnyPath | None = None,
    head: str | None = None,
) -> list[Prediction]:
    """Classify pictures with an artifact: numpy, Pillow and one runtime are enough.

    Example:
        >>> eamdeploy.predict("build/fashion-mnist-v1x0.25-eam-rcr.onnx", ["images/ankle boot/0.png"])[0].top[0].label
        'ankle boot'

    Args:
        artifact: an .onnx or .tflite file, or what ``export`` returned.
        images: pictures to classify.
        top: classes to name for each picture.
        runtime: the one for the file by default.
        threads: of the runtime.
        preprocessing: of a file from elsewhere: JSON, or a file that holds it.
        labels: of a file from elsewhere: a file with its class names, one a line.
        head: of a file from elsewhere: what it answers with, such as ``logits`` or ``probabilities``.

    Raises:
        UsageError: the file says nothing of its classes, or a picture cannot be read.
    """
    from eamdeploy.inference.foreign import said_card
    from eamdeploy.inference.predict import predict as run

    path = artifact_path(artifact)
    card = said_card(path, preprocessing, folder_of(labels), head)
    pictures = [Path(image) for image in images]
    return list(run(path, pictures, top=top, runtime=runtime, threads=threads, card=card))
