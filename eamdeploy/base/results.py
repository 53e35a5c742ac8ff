"""What the tool measures, as frozen dataclasses: units in the names, raw samples kept, a schema version on the outside.

``to_dict`` makes JSON-ready values of any of them; :mod:`eamdeploy.base.decoding` is the way back, and checks their bounds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta

from eamdeploy.base.head_metric import HeadMetric
from eamdeploy.base.intervals import share_interval
from eamdeploy.base.values import (
    Amount,
    Bits,
    Count,
    Digest,
    Duration,
    Few,
    FilePath,
    Identifier,
    Milliseconds,
    Moment,
    Name,
    Percent,
    Positive,
    Reading,
    Text,
)

SCHEMA_VERSION = 1
_MOST_SAMPLES = 10_000_000


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
    board: Name
    runtime: Name
    runtime_version: Name = ""
    when: Moment = ""
    calibration: Name | None = None
    note: Text | None = None
    versions: dict[str, Text] = field(default_factory=dict)


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

    p50: Milliseconds
    p90: Milliseconds | None = None
    p99: Milliseconds | None = None
    mean: Milliseconds | None = None
    ci95: tuple[Reading, Reading] | None = None
    interval90: tuple[Duration, Duration] | None = None
    samples: Annotated[tuple[Milliseconds, ...], Meta(max_length=_MOST_SAMPLES)] = ()
    block: Annotated[tuple[Count, ...], Meta(max_length=_MOST_SAMPLES)] = ()
    import_ms: Duration | None = None
    load_ms: Duration | None = None
    first_ms: Duration | None = None
    warmup: Count = 0

    @property
    def p50_ms(self) -> float:
        """The median in milliseconds, with the unit in its name; the JSON key is ``latency_ms.p50``."""
        return self.p50

    @property
    def p90_ms(self) -> float | None:
        """The 90th percentile in milliseconds."""
        return self.p90

    @property
    def p99_ms(self) -> float | None:
        """The 99th percentile in milliseconds."""
        return self.p99


@dataclass(frozen=True)
class AccuracyResult:
    """Accuracy over a data set, in percent.

    Attributes:
        top1, top5: percent; ``top5`` is ``None`` with fewer than six classes. Of a head with several labels an image,
            ``top1`` is the share of images of which exactly their labels are said.
        metric: of a head that top-1 does not fit, what does.
        n: images.
        flips: images whose top-1 class differs from the reference's, where one was run.
        confused: how often an image of a class was taken for a class: (true, predicted, images), hits among them, pairs
            that did not occur left out.
        data: name of the data set.
        correct: the images' results in their fixed order, a bit per image (:func:`pack_correct`); pairs two runs over
            the same images.
        images: digest of the pictures and their classes, however an artifact prepares them: which images they were.
    """

    top1: Percent
    n: Positive
    top5: Percent | None = None
    flips: Count | None = None
    confused: tuple[tuple[Count, Count, Positive], ...] | None = None
    data: Name = ""
    correct: Bits | None = None
    images: Digest | None = None
    metric: HeadMetric | None = None

    @property
    def title(self) -> str:
        """What :attr:`figure` is called."""
        return "top-1" if self.metric is None else self.metric.title

    @property
    def figure(self) -> float:
        """The one number that fits the head, in percent."""
        return self.top1 if self.metric is None else self.metric.value

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of :attr:`figure`, in percent."""
        if self.metric is not None:
            return self.metric.low, self.metric.high
        low, high = share_interval(self.top1 / 100, self.n)
        return 100 * low, 100 * high


@dataclass(frozen=True)
class SensorSample:
    """Readings at one moment; what is absent is ``None``, never zero.

    Attributes:
        t_s: seconds since the run began (monotonic).
        throttled: Raspberry Pi's ``get_throttled`` bits.
        clock_mhz, governor: of the processors that ran.
        other_cpus: processors' worth of time that other programs used since the reading before.
        steal_cpus: what of it a hypervisor gave to other machines.
        quota_periods, quota_throttled: periods of a CPU quota since the reading before, and those in which the kernel
            stopped the process because the quota was used up.
        memory_stall: share of time since the reading before in which some program waited for memory.
        swap_io_mb: moved to and from the swap space since the reading before.
    """

    t_s: Reading
    temperature_c: Reading | None = None
    clock_mhz: Amount | None = None
    load1: Amount | None = None
    throttled: Count | None = None
    power_mw: Amount | None = None
    other_cpus: Reading | None = None
    swap_used_mb: Amount | None = None
    governor: Text | None = None
    steal_cpus: Amount | None = None
    quota_periods: Count | None = None
    quota_throttled: Count | None = None
    memory_stall: Amount | None = None
    swap_io_mb: Amount | None = None


@dataclass(frozen=True)
class Conditions:
    """The state of the machine around a run.

    Attributes:
        samples: sensor readings before, during and after.
        energy_source: the sensor that gave ``energy_mj``, or ``None``.
        facts: what does not change during a run (CPU, kernel, governor, memory, nvpmodel).
    """

    samples: tuple[SensorSample, ...] = ()
    governor: Name | None = None
    energy_source: Name | None = None
    facts: dict[str, Text] = field(default_factory=dict)


@dataclass(frozen=True)
class RunVerdict:
    """Whether a number may be believed: ``clean``, ``suspect`` or ``invalid``, and why."""

    state: Literal["clean", "suspect", "invalid"]
    reasons: tuple[Text, ...] = ()


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

    id: Identifier
    device: Name
    runtime: Name
    threads: Few
    artifact: FilePath
    artifact_sha256: Digest
    provenance: Provenance
    verdict: RunVerdict
    latency_ms: Latency | None = None
    accuracy: AccuracyResult | None = None
    conditions: Conditions = field(default_factory=Conditions)
    format: Name = ""
    precision: Name = ""
    batch: Few = 1
    bytes: Count = 0
    board: Name | None = None
    group: Name | None = None
    memory_mb: Amount | None = None
    energy_mj: Amount | None = None
    instructions: Count | None = None
    git_commit: Name | None = None
    options: dict[str, Any] = field(default_factory=dict)
    per_layer: Annotated[tuple[dict[str, Any], ...], Meta(max_length=100_000)] = ()
    schema_version: Annotated[int, Meta(ge=1, le=SCHEMA_VERSION)] = SCHEMA_VERSION

    @property
    def latency(self) -> Latency | None:
        """The latency under the name that Python code uses; the JSON key is ``latency_ms``."""
        return self.latency_ms


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
