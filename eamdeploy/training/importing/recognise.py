"""Which library a file of weights comes from, by the names of its tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from eamdeploy.base.errors import DataError
from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.spec import ARCHITECTURES, ArchSpec
from eamdeploy.training.importing.layouts import block_places, timm_layout
from eamdeploy.training.importing.names.keras import plain_key
from eamdeploy.training.importing.names.walk import ConvNames, LayerNames, LinearNames
from eamdeploy.training.importing.sources import SOURCES, WeightsSource, get_source, guess_twin
from eamdeploy.training.importing.states import is_average

_STEMS = {
    "torchvision": ("features.0.0.weight",),
    "timm": ("conv_stem.weight",),
    "timm-tf": ("conv_stem.weight",),
    "transformers": ("conv_stem.convolution.weight", "conv_stem.first_conv.convolution.weight"),
    "keras": ("conv1.weight",),
    "tf-slim": ("conv2d_0.weight", "conv.weight"),
}
ENOUGH = 0.6  # of a source's names, for a file to be called its


@dataclass(frozen=True)
class RecognisedSource:
    """A file that speaks a known library's names.

    Attributes:
        source: the library.
        network: to be filled, with random weights.
        names: of its layers, in order.
        tensors: of the file, by the library's names alone.
        prefix: what stands before those names in the file.
        notes: what a user should know.
    """

    source: WeightsSource
    network: Network
    names: tuple[LayerNames, ...]
    tensors: Mapping[str, Tensor]
    prefix: str
    notes: tuple[str, ...]


def recognise(
    tensors: Mapping[str, Tensor], spec: ArchSpec, *, source_name: str | None, file_name: str
) -> RecognisedSource | None:
    """The source of ``tensors`` for a static network of ``spec``; ``None`` where their names are of no known library.

    Args:
        source_name: the source that the user names.
        file_name: tells two sources with the same names apart, where it can.

    Raises:
        DataError: when the names are a library's and the architecture is another.
    """
    plain = {plain_key(name): value for name, value in tensors.items()}
    scored: list[tuple[float, RecognisedSource]] = []
    for source in SOURCES.values() if source_name is None else [get_source(source_name)]:
        candidate_tensors = plain if source.name in ("keras", "tf-slim") else tensors
        for prefix, inner in _prefixed(candidate_tensors, source).items():
            candidate = _candidate(source, inner, spec, prefix)
            if candidate is not None:
                scored.append((_coverage(candidate), candidate))
    if not scored:
        return None
    best = max(share for share, _ in scored)
    if best < ENOUGH and source_name is None:
        return None
    equal = [candidate for share, candidate in scored if share == best]
    return _settled(equal, source_name, file_name)


def _settled(equal: list[RecognisedSource], source_name: str | None, file_name: str) -> RecognisedSource:
    """Of candidates that explain the names equally well, one, with a note on the others."""
    best = next((candidate for candidate in equal if not is_average(candidate.prefix)), equal[0])
    notes = list(best.notes)
    prefixes = [
        repr(candidate.prefix) for candidate in equal if candidate.source is best.source and candidate is not best
    ]
    if prefixes:
        choice_text = f"those that begin with '{best.prefix}'" if best.prefix else "those without a prefix"
        notes.append(f"{choice_text} are taken; the file has the same names behind {', '.join(prefixes)} too")
    source = best.source if source_name is not None else guess_twin(best.source, file_name)
    if source.same_names is not None and source_name is None and best.network.spec.arch in SOURCES["timm-tf"].functions:
        notes.append(
            f"weights of {source.same_names} have the same names and another function: say which is the source"
        )
    return replace(best, source=source, notes=tuple(notes))


def _prefixed(tensors: Mapping[str, Tensor], source: WeightsSource) -> dict[str, dict[str, Tensor]]:
    """The tensors below each prefix under which the source's first convolution may lie."""
    prefixes = {name[: -len(stem)] for stem in _STEMS[source.name] for name in tensors if name.endswith(stem)}
    by_prefix = {}
    for prefix in sorted(prefixes):
        if prefix and prefix[-1] not in "._":
            continue
        inner = {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
        # some keep the classifier beside the body, not in it
        outer = {name: value for name, value in tensors.items() if name.startswith(("classifier.", "logits."))}
        by_prefix[prefix] = {**outer, **inner} if prefix else inner
    return by_prefix


def _candidate(
    source: WeightsSource, tensors: dict[str, Tensor], spec: ArchSpec, prefix: str
) -> RecognisedSource | None:
    if spec.arch not in source.functions:
        return None
    network, notes = build(spec), []
    places: Sequence[str] = ()
    if source.names is SOURCES["timm"].names:
        places = block_places(tensors)
        layout = timm_layout(tensors, spec.arch)
        if layout is not None:
            other = build(replace(spec, layout=layout))
            if _shapes(other) != _shapes(network):
                network = other
                notes.append(
                    f"its blocks are not those of {spec.arch} at width {spec.width:g}: they are taken from the file"
                )
    return RecognisedSource(
        source, network, names=tuple(source.names(network, places)), tensors=tensors, prefix=prefix, notes=tuple(notes)
    )


def _shapes(network: Network) -> list[tuple[int, ...]]:
    return [tuple(value.shape) for name, value in network.state_dict().items() if not name.startswith("classifier.")]


def _coverage(candidate: RecognisedSource) -> float:
    """The share of the layers' weights that the file has by name."""
    conv_names = [name.conv for name in candidate.names if isinstance(name, ConvNames)]
    return sum(f"{name}.weight" in candidate.tensors for name in conv_names) / len(conv_names)


def classifier_size(recognised: RecognisedSource) -> int | None:
    """How many classes the file's classifier has; ``None`` without one."""
    for name in recognised.names:
        if isinstance(name, LinearNames) and name.path == "classifier":
            bias = recognised.tensors.get(f"{name.name}.bias")
            return None if bias is None else int(bias.numel())
    return None


def check_complete(recognised: RecognisedSource, source: str) -> None:
    """Check that every layer but the classifier is in the file.

    Raises:
        DataError: naming the first that is not.
    """
    for name in recognised.names:
        key = f"{name.conv if isinstance(name, ConvNames) else name.name}.weight"
        if key not in recognised.tensors and name.path != "classifier":
            spec = recognised.network.spec
            why = f"its names are {recognised.source.name}'s, and it has no {key}, which {spec.arch} at width {spec.width:g} has"
            hint = "check the architecture and the width"
            raise DataError("the weights are of another architecture", where=source, why=why, hint=hint)


def check_other_architectures(tensors: Mapping[str, Tensor], spec: ArchSpec, source: Path) -> None:
    """Check that names which are no library's for this architecture are none for another either.

    Raises:
        DataError: naming the architecture that the file has.
    """
    for arch in ARCHITECTURES:
        if arch == spec.arch:
            continue
        other_recognised = recognise(tensors, replace(spec, arch=arch), source_name=None, file_name=source.name)
        if other_recognised is not None:
            why = f"its names are {other_recognised.source.name}'s of {arch}, and {spec.arch} was asked for"
            raise DataError("the weights are of another architecture", where=source, why=why, hint=f"ask for {arch}")
