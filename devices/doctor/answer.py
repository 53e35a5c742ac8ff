"""What the probe of the board's Python may answer, as types."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta

from eamdeploy.base.values import Amount, Count, Name, Reading, Text

_Version = Annotated[str, Meta(max_length=64, pattern=r"^\d{1,4}\.\d{1,4}[0-9A-Za-z.+-]*\Z")]
_Facts = dict[Name, Text]


@dataclass(frozen=True)
class SensorReadings:
    """What the runner's sensors read; None where a board has no such sensor."""

    temperature_c: Annotated[float, Meta(ge=-273.15, le=1000.0)] | None = None
    clock_mhz: Amount | None = None
    clock_max_mhz: Amount | None = None
    load1: Amount | None = None
    memory_available_mb: Amount | None = None
    throttled: Count | None = None
    power_mw: Amount | None = None
    power_source: Name | None = None
    other_cpus: Reading | None = None
    swap_used_mb: Amount | None = None

    def to_dict(self) -> dict[str, Any]:
        """What was read, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Survey:
    """One look at all sensors and settings.

    Attributes:
        problems: why something that is there cannot be read, by what it would tell.
        sensors_error: why none was read.
    """

    readings: SensorReadings = field(default_factory=SensorReadings)
    settings: _Facts = field(default_factory=dict)
    problems: _Facts = field(default_factory=dict)
    sensors_error: Text | None = None


@dataclass(frozen=True)
class ProbeAnswer:
    """The whole answer. A package that is absent is None; one that cannot be imported begins with ``broken:``."""

    python: _Version
    executable: Name
    platform: Name
    bits: Literal[32, 64]
    numpy: Text | None
    pip: bool
    venv: bool
    libc: Text | None = None
    onnxruntime: Text | None = None
    ai_edge_litert: Text | None = None
    tflite_runtime: Text | None = None
    ncnn: Text | None = None
    MNN: Text | None = None
    readings: SensorReadings = field(default_factory=SensorReadings)
    settings: _Facts = field(default_factory=dict)
    problems: _Facts = field(default_factory=dict)
    sensors_error: Text | None = None

    @property
    def sensed(self) -> Survey:
        """Of the sensors alone."""
        return Survey(self.readings, self.settings, self.problems, self.sensors_error)
