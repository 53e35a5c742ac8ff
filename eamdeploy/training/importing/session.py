"""From a foreign file to a checkpoint, with every assumption about its function said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.data.dataset import ImageDataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.inference.foreign import class_names
from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.checkpoint import save_checkpoint
from eamdeploy.networks.checkpoint_header import read_document
from eamdeploy.networks.program.spec import IMPORTED
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.training.importing.check import ImportCheck, check_import
from eamdeploy.training.importing.function import Function
from eamdeploy.training.importing.matching import Match, fill, widen_variances
from eamdeploy.training.importing.recognise import (
    RecognisedSource,
    check_complete,
    check_other_architectures,
    classifier_size,
    recognise,
)
from eamdeploy.training.importing.sources import FOLDED, UNKNOWN, function_of, get_source
from eamdeploy.training.importing.states import without_counters
from eamdeploy.training.importing.warm_start import warm_start
from eamdeploy.training.importing.weights import ForeignWeights, read_weights


@dataclass(frozen=True)
class Said:
    """What the user says of a file; whatever is ``None`` is found or assumed.

    Attributes:
        source: the library, a key of :data:`eamdeploy.training.importing.sources.SOURCES`.
        state: which of several state dicts in the file.
        activation, epsilon, padding: of the function.
        preprocessing: how images become the input.
        resize: short side before the centre crop.
        classes: how many; left out, as many as the file's classifier has.
    """

    source: str | None = None
    state: str | None = None
    activation: str | None = None
    epsilon: float | None = None
    padding: str | None = None
    preprocessing: Preprocessing | None = None
    resize: int | None = None
    classes: int | None = None


@dataclass(frozen=True)
class ImportResult:
    """The checkpoint written, and how the file was understood.

    Attributes:
        match: which of the static network's tensors the file filled.
        source: the library it comes from, or ``None`` where its names are of none that is known.
        function: what the tensors do not say.
        preprocessing: how images become the input.
        notes: sentences for the user.
        check: top-1 on the user's images, where they were given.
    """

    checkpoint: Path
    match: Match
    source: str | None
    function: Function
    preprocessing: Preprocessing
    notes: tuple[str, ...] = field(default=())
    check: ImportCheck | None = None

    def to_dict(self) -> dict[str, Any]:
        """The stable JSON of the command ``import``."""
        return {
            "checkpoint": str(self.checkpoint),
            "matched": self.match.matched,
            "missing": self.match.missing,
            "unused": self.match.unused,
            "transposed": self.match.transposed,
            "source": self.source,
            "assumptions": {**self.function.to_dict(), "preprocessing": self.preprocessing.to_dict()},
            "notes": list(self.notes),
            "check": None if self.check is None else self.check.to_dict(),
        }


def import_weights(
    source: Path,
    spec: ArchSpec,
    out: Path,
    *,
    labels: Path | None = None,
    noise: float = 0.002,
    function_options: Said | None = None,
    check: ImageDataset | None = None,
    class_map: Mapping[str, int | str] | None = None,
) -> ImportResult:
    """Write a checkpoint of ``spec`` that starts from the static weights in ``source``.

    Args:
        source: a ``.npz``, ``.safetensors``, ``.pt`` or ``.pth`` file.
        spec: the network to write.
        out: where the checkpoint goes.
        labels: file of class names, one a line.
        noise: between the kernels of a bank.
        function_options: what the user says of the file.
        check: labelled images to measure the static network on.
        class_map: from the images' classes to the network's, where the names differ.

    Raises:
        DataError: when the file cannot be read or does not fit the architecture.
        UsageError: when the checkpoint cannot be written, or something that is said does not fit.
    """
    options = function_options or Said()
    weights = read_weights(source, options.state)
    own_document = _own_document(source)
    plain = replace(spec, conv="static")
    tensors = without_counters(weights.tensors)
    is_complete = set(plain_state(plain)) <= set(tensors)
    recognised = (
        None
        if weights.folded or is_complete
        else recognise(tensors, plain, source_name=options.source, file_name=source.name)
    )
    if options.source is not None and recognised is None:
        get_source(options.source)
        raise UsageError(f"the names of the tensors are not {options.source}'s", where=source)
    if recognised is not None:
        check_complete(recognised, str(source))
    elif not weights.folded and not is_complete:
        check_other_architectures(tensors, plain, source)
    assumed = _function(weights, recognised, spec.arch) if own_document is None else _as_trained(own_document)
    function = assumed.changed(
        {"activation": options.activation, "epsilon": options.epsilon, "padding": options.padding}
    )
    size = classifier_size(recognised) if recognised is not None else _own_classes(tensors, ordered=weights.ordered)
    plain = replace(
        recognised.network.spec if recognised else plain,
        classes=options.classes or (size if function_options is not None else None) or spec.classes,
    )
    names = class_names(labels, plain.classes)
    preprocessing = options.preprocessing or function.preprocessing(spec.input_px, options.resize, spec.in_channels)
    _check_size(preprocessing, plain)
    path = out if out.suffix == ".safetensors" else out.with_name(out.name + ".safetensors")
    meta = {"data": "imported", "source": source.name}
    matches: list[Match] = []

    def write(assumed: Function, target: Path, dynamic: bool = False) -> None:
        static = build(replace(plain, padding=assumed.padding, activation=assumed.activation))
        matches.append(fill(static, weights, source=str(source), recognised=recognised))
        if not weights.folded:
            widen_variances(static, assumed.epsilon)
        complete_spec = replace(spec, classes=plain.classes, layout=plain.layout)
        network = warm_start(static, complete_spec, noise) if dynamic else static
        preprocessing = options.preprocessing or assumed.preprocessing(spec.input_px, options.resize, spec.in_channels)
        save_checkpoint(target, network, preprocessing=preprocessing.to_dict(), classes=names, meta=meta)

    measured = None
    if check is not None:
        measured = check_import(write, function, spec.arch, check, class_map=class_map)
    write(function, path, dynamic=spec.conv != "static")
    notes = [*((weights.note,) if weights.note else ()), *(recognised.notes if recognised else ())]
    notes += _notes(matches[-1], function, plain, unknown=recognised is None and not weights.folded and not is_complete)
    return ImportResult(
        path,
        matches[-1],
        source=recognised.source.name if recognised else None,
        function=function,
        preprocessing=preprocessing,
        notes=tuple(notes),
        check=measured,
    )


def _own_document(source: Path) -> dict[str, Any] | None:
    """What a checkpoint of this project says of itself; ``None`` for any other file."""
    if source.suffix != ".safetensors":
        return None
    try:
        document = read_document(source)
    except DataError:
        return None  # weights of somebody else
    if document["architecture"].get("arch") == IMPORTED:
        raise UsageError("the checkpoint is imported already", where=source, hint="give it to export, verify or bench")
    return document


def _as_trained(document: Mapping[str, Any]) -> Function:
    """The function of one of our own checkpoints."""
    spec = ArchSpec.from_dict(document["architecture"])
    preprocessing = Preprocessing.from_dict(document["preprocessing"])
    return Function(
        padding=spec.padding,
        activation=spec.activation,
        mean=preprocessing.mean,
        std=preprocessing.std,
        interpolation=preprocessing.interpolation,
    )


def plain_state(spec: ArchSpec) -> list[str]:
    """Names of a static network's own tensors, without the classifier's."""
    return [name for name in without_counters(build(spec).state_dict()) if not name.startswith("classifier.")]


def _function(weights: ForeignWeights, recognised: RecognisedSource | None, arch: str) -> Function:
    if weights.folded:
        return FOLDED[arch]
    return UNKNOWN if recognised is None else function_of(recognised.source, arch, recognised.tensors)


def _own_classes(tensors: Mapping[str, Tensor], *, ordered: bool) -> int | None:
    """How many classes the classifier has: by our own name, or as the last vector of a file in the order of the layers."""
    bias = tensors.get("classifier.bias")
    if bias is None and ordered and tensors:
        bias = list(tensors.values())[-1]
    return int(bias.numel()) if bias is not None and bias.ndim == 1 else None


def _check_size(preprocessing: Preprocessing, spec: ArchSpec) -> None:
    if preprocessing.size != spec.input_px or preprocessing.channels != spec.in_channels:
        why = (
            f"it makes {preprocessing.channels}x{preprocessing.size}x{preprocessing.size}, "
            f"the network takes {spec.in_channels}x{spec.input_px}x{spec.input_px}"
        )
        raise UsageError("the preprocessing does not fit the network", why=why)


def _notes(match: Match, function: Function, spec: ArchSpec, *, unknown: bool) -> list[str]:
    notes = []
    if unknown:
        notes.append(
            "the names are of no known library: tensors were matched in order, and the function is the paper's"
        )
    if match.transposed:
        notes.append(f"{match.transposed} tensors came in TensorFlow's layout and were turned")
    if match.missing:
        notes.append(f"not in the file, left at random: {', '.join(match.missing[:4])}")
    if match.unused:
        examples = ", ".join(match.unused[:3]) + (", …" if len(match.unused) > 3 else "")
        notes.append(f"{len(match.unused)} tensors of the file were not used: {examples}")
    if spec.input_px <= 64:
        notes.append(
            "at 64 px and less the strides are those for small images, not those that the weights had at 224 px"
        )
    if function.padding == "tf-same" and _odd_map(spec):
        notes.append(
            f"at {spec.input_px} px a stride meets an odd map, where TensorFlow pads evenly and this network does not"
        )
    return notes


def _odd_map(spec: ArchSpec) -> bool:
    """Whether one of the first five halvings meets an odd size."""
    size = spec.input_px
    for _ in range(5):
        if size % 2:
            return True
        size //= 2
    return False
