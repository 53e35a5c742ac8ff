"""What the tool measures, as frozen dataclasses: units in the names, raw samples kept, a schema version on the outside.

``to_dict`` and ``from_dict`` convert any of them to and from JSON-ready values.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

SCHEMA_VERSION = 1
T = TypeVar("T")


@dataclass(frozen=True)
class Provenance:
    """Where a figure comes from; one kind is never shown as another.

    Attributes:
        kind: ``measured`` on a real machine, ``emulated`` (outputs and instruction counts of an emulated board), or
            ``estimated`` by the latency model.
        board: the machine's own name or model.
        runtime, runtime_version: what ran the artifact.
        when: UTC, ISO 8601.
        calibration: of an estimate: the calibration's name.
        note: in words, e.g. "transferred from pi4".
        versions: other versions that matter (numpy, Python, kernel, eamdeploy).
    """

    kind: Literal["measured", "emulated", "estimated"]
    board: str
    runtime: str
    runtime_version: str = ""
    when: str = ""
    calibration: str | None = None
    note: str | None = None
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Latency:
    """Latency of one inference, in milliseconds.

    Attributes:
        ci95: bootstrap interval of the median; of an estimate: its 90 % interval stands in ``interval90``.
        samples: every timed inference in order, none removed; empty for an estimate.
        block: of each sample, the index of the interleaving block it was taken in.
        import_ms: importing the runtime.
        load_ms: loading the artifact; with ``import_ms`` and ``first_ms`` the cold start of a process.
        first_ms: the first inference after loading.
        warmup: inferences run and not counted.
    """

    p50: float
    p90: float | None = None
    p99: float | None = None
    mean: float | None = None
    ci95: tuple[float, float] | None = None
    interval90: tuple[float, float] | None = None
    samples: tuple[float, ...] = ()
    block: tuple[int, ...] = ()
    import_ms: float | None = None
    load_ms: float | None = None
    first_ms: float | None = None
    warmup: int = 0


@dataclass(frozen=True)
class AccuracyResult:
    """Accuracy over a data set, in percent.

    Attributes:
        top1, top5: percent; ``top5`` is ``None`` with fewer than six classes.
        n: images.
        flips: images whose top-1 class differs from the reference's, where one was run.
        confusion: rows are true classes.
        data: name of the data set.
        correct: the images' results in their fixed order, a bit per image (:func:`pack_correct`); pairs two runs over
            the same images.
        images: digest of the pictures and their classes, however an artifact prepares them: which images they were.
    """

    top1: float
    n: int
    top5: float | None = None
    flips: int | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None
    data: str = ""
    correct: str | None = None
    images: str | None = None


@dataclass(frozen=True)
class SensorSample:
    """Readings at one moment; what is absent is ``None``, never zero.

    Attributes:
        t_s: seconds since the run began (monotonic).
        throttled: Raspberry Pi's ``get_throttled`` bits.
        other_cpus: processors' worth of time that other programs used since the reading before.
    """

    t_s: float
    temperature_c: float | None = None
    clock_mhz: float | None = None
    load1: float | None = None
    throttled: int | None = None
    power_mw: float | None = None
    other_cpus: float | None = None
    swap_used_mb: float | None = None


@dataclass(frozen=True)
class Conditions:
    """The state of the machine around a run.

    Attributes:
        samples: sensor readings before, during and after.
        energy_source: the sensor that gave ``energy_mj``, or ``None``.
        facts: what does not change during a run (CPU, kernel, governor, memory, nvpmodel).
    """

    samples: tuple[SensorSample, ...] = ()
    governor: str | None = None
    energy_source: str | None = None
    facts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunVerdict:
    """Whether a number may be believed: ``clean``, ``suspect`` or ``invalid``, and why."""

    state: Literal["clean", "suspect", "invalid"]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """One artifact on one device under one setting.

    Attributes:
        id: unique, sortable by time.
        group: runs that were interleaved with each other share it.
        device: profile name; ``board`` is the registered board's name, or ``None``.
        artifact: path as given; ``artifact_sha256`` identifies it.
        instructions: emulated instruction count of one inference, where it was counted; never a latency.
        memory_mb: peak resident memory of the measuring process.
        energy_mj: per inference; ``None`` without a sensor.
        per_layer: operator profile rows, where one was asked for.
    """

    id: str
    device: str
    runtime: str
    threads: int
    artifact: str
    artifact_sha256: str
    provenance: Provenance
    verdict: RunVerdict
    latency_ms: Latency | None = None
    accuracy: AccuracyResult | None = None
    conditions: Conditions = field(default_factory=Conditions)
    format: str = ""
    precision: str = ""
    batch: int = 1
    bytes: int = 0
    board: str | None = None
    group: str | None = None
    memory_mb: float | None = None
    energy_mj: float | None = None
    instructions: int | None = None
    git_commit: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    per_layer: tuple[dict[str, Any], ...] = ()
    schema_version: int = SCHEMA_VERSION


def pack_correct(correct: Iterable[bool]) -> str:
    """Whether each image was classified rightly, as a hexadecimal number whose lowest bit is the first image."""
    return f"{sum(1 << index for index, right in enumerate(correct) if right):x}"


def to_dict(value: Any) -> Any:
    """Any result as JSON-ready values: dataclasses become objects, tuples become lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: to_dict(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_dict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_dict(item) for item in value]
    return value


def from_dict(kind: type[T], values: Mapping[str, Any]) -> T:
    """The inverse of :func:`to_dict` for the dataclass ``kind``; unknown keys of a newer writer are left out."""
    hints = typing.get_type_hints(kind)
    known = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: _convert(hints[name], item) for name, item in values.items() if name in known})


def _convert(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(hint) if option is not type(None)]
        return _convert(options[0], value)
    if origin is tuple:
        arguments = typing.get_args(hint)
        return tuple(_convert(arguments[0], item) for item in value)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return from_dict(hint, value)
    return value
