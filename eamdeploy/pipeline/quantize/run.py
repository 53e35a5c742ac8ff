"""From a float artifact to a quantized one that has been loaded, run on real images, and kept its accuracy.

    result = quantize_artifact(Path("net.onnx"), Path("net-int8.onnx"), QuantizeOptions("int8", max_drop=0.5), calibration=data)

The file gets its name only after that; one that does not load, does not shrink or loses more than allowed is an error.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eamdeploy.base.errors import DataError, EamdeployError, ParityError, UsageError, did_you_mean
from eamdeploy.base.files import atomic_path
from eamdeploy.base.progress import SILENT, Progress
from eamdeploy.data import ImageDataset
from eamdeploy.data.dataset import present_labels, take
from eamdeploy.data.remarks import remarks_on
from eamdeploy.inference.model_card import ModelCard
from eamdeploy.pipeline.quantize.check import QuantizationJudge, interleaved_latency
from eamdeploy.pipeline.quantize.options import QuantizedArtifact, QuantizeOptions, check_precisions
from eamdeploy.pipeline.quantize.report import QuantizationReport, quantized_metadata, write_entry
from export.exporter.registry import get_exporter
from export.quantize.formats import open_quantizer
from export.quantize.observers import check_method
from export.quantize.quantizer import Quantizer, Written
from export.quantize.search import Attempt, Sensitivity, fewest_float_layers, rank
from runtimes.readers.artifact_files import artifact_bytes
from runtimes.readers.formats import FORMATS, companions_of, model_name
from runtimes.readers.metadata import read_metadata
from runtimes.registry import runtime_for
from runtimes.trial.session import try_artifact

MOST_OF_FLOAT = 0.9  # a file larger than this part of its float form was not quantized in any useful sense
SENSITIVITY_IMAGES = 16
SNR_IMAGES = 8


def quantize_artifact(
    source: Path,
    target: Path,
    options: QuantizeOptions,
    *,
    card: ModelCard,
    calibration: ImageDataset,
    check: ImageDataset | None = None,
    class_map: Mapping[str, int | str] | None = None,
    manifest_name: str | None = None,
    baseline: Path | None = None,
    progress: Progress = SILENT,
) -> QuantizedArtifact:
    """Quantize the float artifact ``source`` into ``target``, and prove it on ``check``.

    Args:
        card: classes and preprocessing of the artifact; a foreign one's come from the user.
        calibration: images that set the ranges; labels only balance them.
        check: labelled images for the accuracy; by default the calibration images. Where their classes are not the artifact's,
            what counts is how often the best class stays the float artifact's.
        class_map: from the check data's classes to the artifact's, where the names differ.
        manifest_name: of the manifest that gets the entry; by default the target's stem.
        baseline: the float artifact to compare with, where ``source`` was lowered for int8 and the user has another.
        progress: receives one sentence as each step begins.

    Raises:
        UsageError: for a precision, a model or options that cannot be served.
        DataError: for calibration images that are missing, of one class, or do not decode.
        ParityError: when the quantized file does not load, does not shrink, or loses more than ``max_drop``.
    """
    check_precisions((options.precision,))
    check_method(options.method)
    try_artifact(runtime_for(source).name, source)
    quantizer = open_quantizer(source)
    _check_layers(quantizer, options)
    _check_fit(quantizer, card, source)
    calibration_images = _calibration_set(calibration, card, options)
    judge = QuantizationJudge(take(check if check is not None else calibration, options.check_images), card, class_map)
    calibrated = 0
    if options.precision == "int8":
        progress.stage(f"calibrating {target.name} on {len(calibration_images)} images")
        calibrated = quantizer.calibrate(_batches(calibration_images, card, quantizer.batch), options.method)
    with tempfile.TemporaryDirectory(prefix="eamdeploy-") as folder:
        work = _Work(
            quantizer, judge, options=options, folder=Path(folder), suffix=target.suffix.lower(), source=source
        )
        progress.stage(f"checking {target.name} on {len(judge.dataset)} images")
        written, attempts, ranking = work.run(progress)
        result = work.scratch
        size, float_bytes = artifact_bytes(result), artifact_bytes(baseline or source)
        if size > MOST_OF_FLOAT * float_bytes:
            why = f"{size} bytes against {float_bytes} in float"
            if options.precision == "int8":
                layers = ", ".join(work.written.int8_layers) or "no layers"
                why += f": of its layers int8 has a form for {layers}"
            raise ParityError(f"the {options.precision} file did not shrink", where=target, why=why)
        snr = quantizer.layer_snr_db(result, _batches(take(calibration_images, SNR_IMAGES), card, quantizer.batch))
        latency = interleaved_latency(baseline or source, result, quantizer, judge) if options.latency else None
        outcome = judge.compare(source, result)
        carried = read_metadata(source).raw
        report = QuantizationReport(
            precision=options.precision,
            method=options.method if options.precision == "int8" else None,
            calibration_data=calibration_images.name,
            calibration_images=calibrated,
            calibration_classes=len(present_labels(calibration_images)),
            check_data=judge.dataset.name,
            same_images=check is None,
            outcome=outcome,
            max_drop=options.max_drop,
            bytes=size,
            float_bytes=float_bytes,
            written=written,
            snr_db=snr,
            ranking=tuple(ranking),
            attempts=tuple(attempts),
            demanded=options.float_layers,
            latency=latency,
            planned_for=_planned_for(carried),
            multi_label=card.head.multi_label,
            data_notes=_data_notes(calibration_images, judge, card),
            formless=_formless(carried, written, options) if source.suffix.lower() == ".onnx" else (),
        )
        artifact_format = FORMATS[read_metadata(source).format]
        exporter = get_exporter(artifact_format.name)
        metadata = quantized_metadata(carried, card, report, target, quantizer.input_layout)
        with atomic_path(target, companions=artifact_format.companions) as temporary:
            for final_file, temporary_file in zip(companions_of(result), companions_of(temporary), strict=True):
                shutil.copyfile(final_file, temporary_file)
            shutil.copyfile(result, temporary)
            exporter.attach_metadata(temporary, metadata)
    # the metadata is part of the file that is compared
    report = replace(report, bytes=artifact_bytes(target))
    manifest = write_entry(
        target, source, card, report=report, metadata=metadata, name=manifest_name or model_name(target)
    )
    lowerings = {entry["layer"]: entry["lowering"] for entry in metadata.get("plan", [])}
    return QuantizedArtifact(
        target,
        manifest,
        format=exporter.format,
        precision=options.precision,
        bytes=artifact_bytes(target),
        report=report,
        lowerings=lowerings,
    )


def _data_notes(calibration_images: ImageDataset, judge: QuantizationJudge, card: ModelCard) -> tuple[str, ...]:
    exif = card.preprocessing.exif
    names = list(judge.skipped)
    unread = [f"{len(names)} images of the check do not decode and are left out, such as {names[0]}"] if names else []
    return tuple(
        dict.fromkeys([*remarks_on(calibration_images, exif=exif), *remarks_on(judge.dataset, exif=exif), *unread])
    )


def _planned_for(carried: Mapping[str, Any]) -> str | None:
    return str(carried["target"]["precision"]) if carried.get("plan") and "target" in carried else None


def _formless(carried: Mapping[str, Any], written: Written, options: QuantizeOptions) -> tuple[str, ...]:
    """The dynamic layers that no int8 form was there for; converters to TFLite rename layers, so there it is not known."""
    forms = {*written.int8_layers, *written.float_layers}
    planned = [str(entry["layer"]) for entry in carried.get("plan") or ()]
    return tuple(layer for layer in planned if layer not in forms) if options.precision == "int8" else ()


class _Work:
    """Writes candidates into a scratch folder and measures them."""

    def __init__(
        self,
        quantizer: Quantizer,
        judge: QuantizationJudge,
        *,
        options: QuantizeOptions,
        folder: Path,
        suffix: str,
        source: Path,
    ) -> None:
        self.quantizer, self.judge, self.options, self.source = quantizer, judge, options, source
        self.scratch = folder / f"candidate{suffix}"
        self.demanded = options.float_layers

    def drop(self, float_layers: tuple[str, ...]) -> float:
        """Write with ``float_layers`` in float and measure the loss of top-1, in points."""
        self.written = self.quantizer.write(self.scratch, self.options.precision, {*float_layers, *self.demanded})
        try:
            return self.judge.compare(self.source, self.scratch).drop_points
        except EamdeployError as error:
            raise ParityError(
                f"the {self.options.precision} file does not run", where=self.source, why=error
            ) from error

    def run(self, progress: Progress) -> tuple[Written, list[Attempt], list[Sensitivity]]:
        """The written form that is within the bound."""
        bound = self.options.max_drop
        first = Attempt((), self.drop(()))
        if first.drop_points <= bound:
            return self.written, [first], []
        candidates = [layer for layer in self.quantizer.layers if layer not in self.demanded]
        if self.options.precision != "int8" or not candidates:
            raise self._too_much(first)
        loss_text = f"{first.drop_points:.2f} points of {self.judge.measure} are lost, over the {bound:g} allowed"
        progress.stage(f"{loss_text}: measuring each of {len(candidates)} layers")
        ranking = rank(candidates, self._alone)
        attempts = [first, *fewest_float_layers(ranking, self.drop, bound)]
        # with every layer in float nothing is lost, and nothing is quantized either
        real = [each for each in attempts if {*each.float_layers, *self.demanded} < {*self.quantizer.layers}]
        within = [attempt for attempt in real if attempt.drop_points <= bound]
        if not within:
            raise self._too_much(min(real, key=lambda attempt: attempt.drop_points))
        best = min(within, key=lambda attempt: len(attempt.float_layers))
        self.drop(best.float_layers)
        progress.stage(f"{len(best.float_layers)} layers stay float: {', '.join(best.float_layers)}")
        return self.written, attempts, ranking

    def _alone(self, layer: str) -> float:
        other_layers = {name for name in self.quantizer.layers if name != layer}
        self.quantizer.write(self.scratch, self.options.precision, other_layers)
        return self.judge.score_noise(self.source, self.scratch, SENSITIVITY_IMAGES)

    def _too_much(self, best: Attempt) -> ParityError:
        float_text = f" with {len(best.float_layers)} layers in float" if best.float_layers else ""
        why = f"{best.drop_points:.2f} points of {self.judge.measure} are lost{float_text}, {self.options.max_drop:g} are allowed"
        hint = "allow more with `max_drop`, calibrate with more images or another method, or train with `qat`"
        return ParityError(
            f"the {self.options.precision} file loses too much accuracy", where=self.source, why=why, hint=hint
        )


def _check_layers(quantizer: Quantizer, options: QuantizeOptions) -> None:
    for layer in options.float_layers:
        if layer not in quantizer.layers:
            raise UsageError(
                f"there is no layer '{layer}' to keep in float", hint=did_you_mean(layer, quantizer.layers)
            )
    if options.precision == "int8" and quantizer.layers and {*options.float_layers} >= {*quantizer.layers}:
        why = f"all {len(quantizer.layers)} layers were asked to stay in float"
        raise UsageError("nothing is left to quantize", why=why, hint="leave a layer to it, or export in fp32")
    if not 0 <= options.max_drop <= 100:
        raise UsageError(f"max-drop is in points of top-1, between 0 and 100, and is {options.max_drop:g}")


def _check_fit(quantizer: Quantizer, card: ModelCard, source: Path) -> None:
    expected_size = (card.preprocessing.channels, *card.preprocessing.size_hw)
    if quantizer.input_shape != expected_size:
        why = f"the artifact takes {quantizer.input_shape} (C, H, W) and the preprocessing makes {expected_size}"
        raise UsageError("the preprocessing does not fit the artifact", where=source, why=why)


def _calibration_set(dataset: ImageDataset, card: ModelCard, options: QuantizeOptions) -> ImageDataset:
    subset = take(dataset, options.calibration_images)
    classes = present_labels(subset)
    if len(classes) < 2 <= len(card.classes):
        why = f"all {len(subset)} images are of one class, and ranges seen there do not hold for the others"
        raise DataError(
            "the calibration images are not usable", where=dataset.name, why=why, hint="give images of several classes"
        )
    return subset


def _batches(dataset: ImageDataset, card: ModelCard, size: int) -> Iterator[npt.NDArray[np.float32]]:
    """Preprocessed images in the batches the artifact takes; the last one is filled up with its first images.

    Raises:
        DataError: for an image that does not decode: a calibration must not depend on which ones happened to.
    """
    pending: list[npt.NDArray[np.float32]] = []
    for index in range(len(dataset)):
        pending.append(card.preprocessing.apply(dataset.image(index)))
        if len(pending) == size:
            yield np.stack(pending)
            pending = []
    if pending:
        yield np.stack([pending[index % len(pending)] for index in range(size)])
